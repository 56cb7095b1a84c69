#!/bin/sh
# Makes the bucket, who may read it and who may write it, and may run any number
# of times: everybody gets pictures, the worker's key puts them and can do
# nothing else, and only the root key lists or deletes.
#
# Needs curl and sha256sum. ENDPOINT, BUCKET, ROOT_KEY, ROOT_SECRET, WORKER_KEY
# and WORKER_SECRET come from docker-compose.yml; keys and secrets are letters
# and digits, since they stand in XML and JSON.
set -eu

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# sign METHOD PATH BODY, then the statuses that are success.
sign() {
	method=$1 path=$2 body=$3
	shift 3
	sum=$(printf %s "$body" | sha256sum | cut -d' ' -f1)
	status=$(printf %s "$body" | curl --silent --show-error --max-time 20 \
		--retry 5 --retry-connrefused --output "$answer" --write-out '%{http_code}' \
		--aws-sigv4 aws:amz:us-east-1:s3 --user "$ROOT_KEY:$ROOT_SECRET" \
		--header "x-amz-content-sha256: $sum" --request "$method" --data-binary @- "$ENDPOINT$path")
	for good in "$@"; do
		[ "$status" = "$good" ] && return
	done
	echo "$method $path answered $status:" >&2
	cat "$answer" >&2
	exit 1
}

policy=$(cat <<EOF
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "EverybodyGets",
      "Effect": "Allow",
      "Principal": "*",
      "Action": "s3:GetObject",
      "Resource": "arn:aws:s3:::$BUCKET/generated/*"
    },
    {
      "Sid": "TheWorkerPuts",
      "Effect": "Allow",
      "Principal": {"AWS": "$WORKER_KEY"},
      "Action": "s3:PutObject",
      "Resource": "arn:aws:s3:::$BUCKET/generated/*"
    }
  ]
}
EOF
)

# versitygw's admin API; a bucket's policy may name only users that exist.
sign PATCH /create-user \
	"<Account><Access>$WORKER_KEY</Access><Secret>$WORKER_SECRET</Secret><Role>user</Role></Account>" 201 409
# A secret that was changed in .env.
sign PATCH "/update-user?access=$WORKER_KEY" \
	"<MutableProps><Secret>$WORKER_SECRET</Secret></MutableProps>" 200
sign PUT "/$BUCKET" '' 200 409
# With the "=", since older curls sign a query without one wrongly.
sign PUT "/$BUCKET?policy=" "$policy" 200 204
echo "bucket $BUCKET is ready: everybody gets generated/*, $WORKER_KEY puts it"
