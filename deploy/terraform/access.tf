# Who may write. A user with a key for hosts outside AWS; workers that have a
# role get the output uploader_policy instead.

resource "aws_iam_user" "uploader" {
  count = var.uploader_key ? 1 : 0
  name  = "${var.bucket}-uploader"
  tags  = var.tags
}

resource "aws_iam_user_policy" "uploader" {
  count  = var.uploader_key ? 1 : 0
  name   = "put-pictures"
  user   = aws_iam_user.uploader[0].name
  policy = jsonencode(local.uploader_policy)
}

resource "aws_iam_access_key" "uploader" {
  count = var.uploader_key ? 1 : 0
  user  = aws_iam_user.uploader[0].name
}

resource "aws_iam_role" "reaper" {
  count              = length(var.reaper_principals) == 0 ? 0 : 1
  name               = "${var.bucket}-reaper"
  assume_role_policy = jsonencode(local.reaper_trust)
  tags               = var.tags
}

resource "aws_iam_role_policy" "reaper" {
  count  = length(var.reaper_principals) == 0 ? 0 : 1
  name   = "delete-pictures"
  role   = aws_iam_role.reaper[0].name
  policy = jsonencode(local.reaper_policy)
}
