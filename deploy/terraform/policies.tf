# Every policy of the module, as one reads them in a review. This file and
# variables.tf name no resource: internal/deploytest has Terraform evaluate the
# two alone, and compares word for word.

locals {
  # The workers need nothing else: no list, no read, no delete.
  uploader_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "PutPictures"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${local.bucket_arn}/generated/*"
      },
    ]
  }

  bucket_policy = {
    Version   = "2012-10-17"
    Statement = [for s in local.bucket_statements : s if var.write_once || s.Sid != "NothingIsOverwritten"]
  }

  bucket_statements = [
    {
      Sid       = "TheDistributionReads"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "${local.bucket_arn}/generated/*"
      Condition = { StringEquals = { "AWS:SourceArn" = local.distribution_arn } }
    },
    {
      Sid       = "NothingWithoutTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    },
    # A key never serves two pictures, whoever holds the uploader's key:
    # readers keep them for a year. Frontispiece always puts with
    # If-None-Match.
    {
      Sid       = "NothingIsOverwritten"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arn}/generated/*"
      Condition = {
        Null = { "s3:if-none-match" = "true" }
        Bool = { "s3:ObjectCreationOperation" = "true" }
      }
    },
  ]

  # frontispiece reap and frontispiece takedown.
  reaper_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "DeletePictures"
        Effect   = "Allow"
        Action   = "s3:DeleteObject"
        Resource = "${local.bucket_arn}/generated/*"
      },
      {
        Sid      = "MakeReadersForget"
        Effect   = "Allow"
        Action   = "cloudfront:CreateInvalidation"
        Resource = local.distribution_arn
      },
    ]
  }

  reaper_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WhoMayReap"
        Effect    = "Allow"
        Principal = { AWS = var.reaper_principals }
        Action    = "sts:AssumeRole"
      },
    ]
  }
}
