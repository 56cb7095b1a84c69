resource "aws_s3_bucket" "pictures" {
  bucket        = var.bucket
  force_destroy = var.destroy_pictures
  tags          = var.tags
}

# Readers come through CloudFront alone, so nothing here is ever public.
resource "aws_s3_bucket_public_access_block" "pictures" {
  bucket                  = aws_s3_bucket.pictures.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# No object has an owner or a right of its own: the bucket's policy is all there is.
resource "aws_s3_bucket_ownership_controls" "pictures" {
  bucket = aws_s3_bucket.pictures.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# S3's own keys and not KMS: with KMS the uploader would need more than
# s3:PutObject, and CloudFront a right of its own.
resource "aws_s3_bucket_server_side_encryption_configuration" "pictures" {
  bucket = aws_s3_bucket.pictures.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# A picture that was deleted by mistake can be brought back for a while. Keys are
# never reused, so versions cost nothing until then.
resource "aws_s3_bucket_versioning" "pictures" {
  bucket = aws_s3_bucket.pictures.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Pictures themselves are never expired: a post may show one for ever. What
# nobody needs, frontispiece reap finds.
resource "aws_s3_bucket_lifecycle_configuration" "pictures" {
  bucket     = aws_s3_bucket.pictures.id
  depends_on = [aws_s3_bucket_versioning.pictures]

  rule {
    id     = "leftovers"
    status = "Enabled"
    filter {}

    # We put each picture in one request; what another program left half-done
    # costs storage and is invisible.
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
    noncurrent_version_expiration {
      noncurrent_days = var.keep_deleted_days
    }
    expiration {
      expired_object_delete_marker = true
    }
  }
}

resource "aws_s3_bucket_policy" "pictures" {
  bucket     = aws_s3_bucket.pictures.id
  policy     = jsonencode(local.bucket_policy)
  depends_on = [aws_s3_bucket_public_access_block.pictures]
}
