# The least: a bucket, a distribution, a key. Type
#
#   terraform init && terraform apply -var bucket=my-site-pictures
#   terraform output -raw env
#
# The state holds the uploader's secret: keep it where only operators read.

variable "bucket" {
  description = "Name of the bucket to make."
  type        = string
}

provider "aws" {
  region = "us-east-1"
}

module "pictures" {
  source = "../.."
  bucket = var.bucket
}

output "env" {
  description = "The variables to paste."
  sensitive   = true
  value       = module.pictures.env
}
