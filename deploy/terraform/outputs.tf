output "env" {
  description = "The variables of docs/configuration.md, to paste: terraform output -raw env"
  sensitive   = true
  value = join("\n", concat(
    [
      "AWS_S3_BUCKET=${aws_s3_bucket.pictures.id}",
      "AWS_S3_REGION=${aws_s3_bucket.pictures.region}",
      "AWS_CLOUDFRONT_DOMAIN=${local.public_domain}",
    ],
    var.uploader_key ? [
      "AWS_ACCESS_KEY_ID=${aws_iam_access_key.uploader[0].id}",
      "AWS_SECRET_ACCESS_KEY=${aws_iam_access_key.uploader[0].secret}",
    ] : [],
    [""],
  ))
}

locals {
  public_domain = coalesce(var.domain, aws_cloudfront_distribution.pictures.domain_name)
}

output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.pictures.id
}

output "public_domain" {
  description = "Host of every picture's URL: one line under images.remotePatterns in next.config.js."
  value       = local.public_domain
}

output "distribution_id" {
  description = "The distribution: AWS_CLOUDFRONT_DISTRIBUTION_ID for frontispiece takedown, with the reaper's role."
  value       = aws_cloudfront_distribution.pictures.id
}

output "cname_target" {
  description = "Where a CNAME of domain must point."
  value       = aws_cloudfront_distribution.pictures.domain_name
}

output "uploader_policy" {
  description = "What workers may do, as JSON, to attach to a role of theirs."
  value       = jsonencode(local.uploader_policy)
}

output "reaper_role_arn" {
  description = "The role that deletes pictures; null without reaper_principals."
  value       = one(aws_iam_role.reaper[*].arn)
}
