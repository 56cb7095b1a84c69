variable "bucket" {
  description = "Name of the bucket to make. All of AWS shares one namespace, so put your organisation into it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,53}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 55 lower-case letters, digits and dashes, with a letter or digit at both ends. S3 takes dots and 63 too, but TLS fails with dots, and the uploader is named after the bucket in 64."
  }
  validation {
    condition     = !can(regex("^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|--x-s3|--table-s3)$", var.bucket))
    error_message = "bucket must not begin with xn--, sthree- or amzn-s3-demo-, nor end with -s3alias, --ol-s3, --x-s3 or --table-s3: AWS keeps those for itself."
  }
}

variable "site_origins" {
  description = "Origins of the site's pages, which may read pictures from scripts (canvas, fetch). Pages that only show them with <img> need none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for o in var.site_origins : can(regex("^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", o))])
    error_message = "site_origins must be origins such as https://www.example.com: a scheme and a host, no path and no slash at the end. The star is refused; list the hosts."
  }
}

variable "domain" {
  description = "Own domain of the pictures, such as images.example.com. Null: the distribution's own, d….cloudfront.net."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a host name alone, such as images.example.com, without https:// and without a path."
  }
}

variable "certificate_arn" {
  description = "ACM certificate for domain. CloudFront takes certificates from us-east-1 only."
  type        = string
  default     = null

  validation {
    condition     = (var.certificate_arn == null) == (var.domain == null)
    error_message = "certificate_arn and domain belong together: set both, or neither."
  }
  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate in us-east-1: CloudFront sees no other region."
  }
}

variable "uploader_key" {
  description = "Make an access key for the uploader and show it in the output env. Its secret then stands in Terraform's state. False where the workers have a role: attach the output uploader_policy to it."
  type        = bool
  default     = true
}

variable "reaper_principals" {
  description = "ARNs of who may take on the reaper's role, which deletes pictures. Empty: there is no such role."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for p in var.reaper_principals : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:(root|user/|role/|assumed-role/)", p))])
    error_message = "reaper_principals must be ARNs of users, roles or accounts, such as arn:aws:iam::123456789012:role/operations. The star is refused."
  }
}

variable "keep_deleted_days" {
  description = "Days for which a deleted or overwritten picture can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_deleted_days >= 1 && var.keep_deleted_days <= 365 && floor(var.keep_deleted_days) == var.keep_deleted_days
    error_message = "keep_deleted_days must be a whole number from 1 to 365."
  }
}

variable "price_class" {
  description = "Where in the world CloudFront keeps copies: PriceClass_100 (North America, Europe, Israel), PriceClass_200, PriceClass_All."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "write_once" {
  description = "Refuse puts that would overwrite a picture. False only while another bucket's pictures are copied in: S3's own copies cannot be conditional."
  type        = bool
  default     = true
}

variable "destroy_pictures" {
  description = "Let terraform destroy delete a bucket that holds pictures. For trials."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags for everything that takes them."
  type        = map(string)
  default     = {}
}
