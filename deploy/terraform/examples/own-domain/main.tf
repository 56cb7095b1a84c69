# Pictures on a domain of one's own, workers in AWS with a role instead of a
# key, and a role for the reaper.

variable "bucket" {
  description = "Name of the bucket to make."
  type        = string
}

variable "domain" {
  description = "Host of the pictures, such as images.example.com."
  type        = string
}

variable "certificate_arn" {
  description = "ACM certificate of the domain, in us-east-1."
  type        = string
}

variable "worker_role" {
  description = "Name of the role that the workers run as."
  type        = string
}

variable "operators_role_arn" {
  description = "Role of those who may delete pictures."
  type        = string
}

variable "site_origins" {
  description = "Origins of the site's pages."
  type        = list(string)
  default     = []
}

provider "aws" {
  region = "eu-central-1"
}

module "pictures" {
  source            = "../.."
  bucket            = var.bucket
  domain            = var.domain
  certificate_arn   = var.certificate_arn
  site_origins      = var.site_origins
  uploader_key      = false
  reaper_principals = [var.operators_role_arn]
  price_class       = "PriceClass_All"
}

resource "aws_iam_role_policy" "workers" {
  name   = "put-pictures"
  role   = var.worker_role
  policy = module.pictures.uploader_policy
}

output "env" {
  description = "The variables to paste."
  sensitive   = true
  value       = module.pictures.env
}

output "cname_target" {
  description = "Where the domain's CNAME must point."
  value       = module.pictures.cname_target
}
