locals {
  bucket_arn       = aws_s3_bucket.pictures.arn
  distribution_arn = aws_cloudfront_distribution.pictures.arn

  # AWS's managed policy "CachingOptimized", the same id in every account: it
  # honours our Cache-Control and puts nothing but the path into the cache's key.
  caching_optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
}

# Signs CloudFront's own requests to the bucket.
resource "aws_cloudfront_origin_access_control" "pictures" {
  name                              = var.bucket
  description                       = "Reads ${var.bucket}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "pictures" {
  comment         = "Frontispiece: ${var.bucket}"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  aliases         = var.domain == null ? [] : [var.domain]
  tags            = var.tags

  origin {
    origin_id                = "bucket"
    domain_name              = aws_s3_bucket.pictures.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.pictures.id
  }

  default_cache_behavior {
    target_origin_id           = "bucket"
    viewer_protocol_policy     = "https-only"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = false # pictures are compressed already
    cache_policy_id            = local.caching_optimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.pictures.id
  }

  # CloudFront remembers an error for ten seconds unless told otherwise. A worker
  # fetches each picture back as soon as it has put it, and a reader may come
  # first: a picture must never be remembered as missing.
  dynamic "custom_error_response" {
    for_each = [400, 403, 404, 500, 502, 503, 504]

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 0
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = var.certificate_arn
    minimum_protocol_version       = var.domain == null ? "TLSv1" : "TLSv1.2_2021" # the default certificate has no choice
    ssl_support_method             = var.domain == null ? null : "sni-only"
  }
}

# CORS is answered here and not by the bucket: with the Origin header in the
# cache's key, every site would have copies of its own.
resource "aws_cloudfront_response_headers_policy" "pictures" {
  name    = var.bucket
  comment = "Frontispiece: ${var.bucket}"

  dynamic "cors_config" {
    for_each = length(var.site_origins) == 0 ? [] : [1]

    content {
      access_control_allow_credentials = false
      origin_override                  = true
      access_control_max_age_sec       = 86400

      access_control_allow_headers {
        items = ["Range"]
      }
      access_control_allow_methods {
        items = ["GET", "HEAD", "OPTIONS"]
      }
      access_control_allow_origins {
        items = var.site_origins
      }
    }
  }

  # Whatever a file claims to be, it is shown as a picture or not at all.
  security_headers_config {
    content_type_options {
      override = true
    }
    content_security_policy {
      content_security_policy = "default-src 'none'"
      override                = true
    }
    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }
}
