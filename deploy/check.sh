#!/usr/bin/env bash
# make deploy-check: formats, validates and applies deploy/terraform against an
# emulator of AWS, runs the doctor and one real job on the result, reads the
# uploader's policy back, and destroys it. What is missing on this machine is
# named, and everything else is done all the same. It touches no cloud: every
# request goes to 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."

module=$PWD/deploy/terraform
rights=$PWD/internal/deploytest/testdata/rights.golden.json
work=$(mktemp -d)
children=()
missing=()
finish() {
	for pid in "${children[@]:-}"; do [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }
lacks() { missing+=("$*"); printf 'MISSING %s\n' "$*"; }
has() { command -v "$1" >/dev/null; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
await() { # URL: until it answers
	for _ in $(seq 200); do curl --silent --fail --output /dev/null "$1" && return; read -rt 0.1 <> <(:) || true; done
	echo "$1 does not answer" >&2
	return 1
}

# What Terraform would ask the registry for is found here or not at all.
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1 AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_DEFAULT_REGION=us-east-1
unset AWS_PROFILE AWS_CA_BUNDLE
[ -e "${TF_CLI_CONFIG_FILE:-/dev/null}" ] || unset TF_CLI_CONFIG_FILE

evaluate() { # the variables and the policies, which name no resource
	mkdir "$work/alone"
	cp "$module"/{variables,policies}.tf "$rights" "$work/alone"
	cat >"$work/alone/harness.tf" <<-'HCL'
		locals {
		  bucket_arn       = "arn:aws:s3:::${var.bucket}"
		  distribution_arn = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
		  rights = jsonencode({
		    bucket_policy = local.bucket_policy, uploader_policy = local.uploader_policy,
		    reaper_policy = local.reaper_policy, reaper_trust = local.reaper_trust,
		  })
		}
		output "uploader" { value = jsonencode(local.uploader_policy) }
		output "reviewed" { value = local.rights == jsonencode(jsondecode(file("rights.golden.json"))) }
	HCL
	cd "$work/alone"
	terraform init -no-color >/dev/null
	terraform apply -no-color -auto-approve -var bucket=my-site-pictures -var 'reaper_principals=["arn:aws:iam::123456789012:role/operations"]' >/dev/null
	[ "$(terraform output -raw reviewed)" = true ] || { echo "Terraform makes other policies than rights.golden.json has"; exit 1; }
	echo "the policies are the reviewed ones; the uploader's:"
	terraform output -raw uploader | python3 -m json.tool
	local wrong
	for wrong in bucket=My_Bucket domain=https://images.example.com 'site_origins=["*"]' keep_deleted_days=0; do
		if terraform plan -no-color -var bucket=my-site-pictures -var "$wrong" >"$work/plan" 2>&1; then
			echo "$wrong was taken"
			exit 1
		fi
		echo "refused $wrong: $(grep -m1 -E '^(bucket|domain|certificate_arn|site_origins|keep_deleted_days) ' "$work/plan")"
	done
	cd - >/dev/null
}

emulator() { # moto, on a port of its own
	local port
	port=$(free_port)
	moto_server -H 127.0.0.1 -p "$port" >"$work/moto.log" 2>&1 &
	children+=($!)
	endpoint=http://127.0.0.1:$port
	await "$endpoint/moto-api/" || { tail -5 "$work/moto.log"; exit 1; }
	export AWS_ENDPOINT_URL=$endpoint
	echo "moto at $endpoint"
}

applied() { # Terraform with its provider; fails where there is none
	mkdir "$work/root"
	cat >"$work/root/main.tf" <<-HCL
		provider "aws" {
		  region = "us-east-1"
		}
		module "pictures" {
		  source           = "$module"
		  bucket           = "deploy-check-pictures"
		  destroy_pictures = true
		}
		output "env" {
		  sensitive = true
		  value     = module.pictures.env
		}
	HCL
	terraform -chdir="$work/root" init -no-color -input=false >"$work/init" 2>&1 || return 1
	terraform -chdir="$work/root" validate -no-color
	terraform -chdir="$work/root" apply -no-color -input=false -auto-approve | tail -3
	terraform -chdir="$work/root" output -raw env >"$work/env"
	by_terraform=yes
}

by_hand() { # the same bucket and user without Terraform's provider
	aws s3api create-bucket --bucket deploy-check-pictures >/dev/null
	aws iam create-user --user-name deploy-check-pictures-uploader >/dev/null
	python3 - "$rights" <<-'PY' | sed 's/my-site-pictures/deploy-check-pictures/' >"$work/uploader.json"
		import json, sys
		print(json.dumps(json.load(open(sys.argv[1]))["uploader_policy"]))
	PY
	aws iam put-user-policy --user-name deploy-check-pictures-uploader --policy-name put-pictures --policy-document "file://$work/uploader.json"
	aws iam create-access-key --user-name deploy-check-pictures-uploader --output text \
		--query 'AccessKey.join(`\n`, [join(``, [`AWS_ACCESS_KEY_ID=`, AccessKeyId]), join(``, [`AWS_SECRET_ACCESS_KEY=`, SecretAccessKey])])' >"$work/env"
	printf 'AWS_S3_BUCKET=deploy-check-pictures\nAWS_S3_REGION=us-east-1\n' >>"$work/env"
}

taken() { # what somebody hears whose bucket's name is another account's
	local key secret token said
	read -r key secret token < <(aws sts assume-role --role-arn arn:aws:iam::222222222222:role/other --role-session-name other \
		--query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text)
	if said=$(AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret AWS_SESSION_TOKEN=$token aws s3api create-bucket --bucket deploy-check-pictures \
		--region eu-central-1 --create-bucket-configuration LocationConstraint=eu-central-1 2>&1); then
		echo "another account took the name of the bucket"
		exit 1
	fi
	echo "refused to another account:" $(printf %s "$said" | grep -o '(Bucket.*')
}

read_back() { # the uploader's statement, as AWS has it
	aws iam get-user-policy --user-name deploy-check-pictures-uploader --policy-name put-pictures --query PolicyDocument --output json >"$work/policy"
	python3 - "$work/policy" "$rights" <<-'PY'
		import json, sys
		got = json.load(open(sys.argv[1]))
		want = json.loads(json.dumps(json.load(open(sys.argv[2]))["uploader_policy"]).replace("my-site-pictures", "deploy-check-pictures"))
		assert got == want, f"the uploader may do something else: {json.dumps(got)}"
		print("read back:", json.dumps(got["Statement"]))
	PY
}

readers() { # what CloudFront is: it may read the bucket, and anybody may ask it
	local port
	port=$(free_port)
	python3 - "$port" <<-'PY' >"$work/readers.log" 2>&1 &
		import boto3, http.server, sys
		s3 = boto3.client("s3")
		class Edge(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        try:
		            o = s3.get_object(Bucket="deploy-check-pictures", Key=self.path.lstrip("/"))
		        except Exception:
		            return self.send_error(403)
		        body = o["Body"].read()
		        self.send_response(200)
		        for name, value in (("Content-Type", o["ContentType"]), ("Cache-Control", o.get("CacheControl", "")), ("Content-Length", str(len(body)))):
		            self.send_header(name, value)
		        self.end_headers()
		        self.wfile.write(body)
		http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Edge).serve_forever()
	PY
	children+=($!)
	public=http://127.0.0.1:$port
}

use_it() { # the doctor, and one real job, with what was made
	# The emulator keeps a distribution's settings and serves nothing.
	readers
	grep -v AWS_CLOUDFRONT_DOMAIN "$work/env" >"$work/program.env"
	local port
	port=$(free_port)
	printf '%s\n' "AWS_ENDPOINT_URL_S3=$endpoint" "PUBLIC_BASE_URL=$public" "DATA_DIR=$work/data" "LISTEN_ADDR=127.0.0.1:$port" >>"$work/program.env"
	env -i $(cat "$work/program.env") bin/api >"$work/api.log" 2>&1 &
	children+=($!)
	await "http://127.0.0.1:$port/readyz" || { tail "$work/api.log"; exit 1; }
	curl --silent --show-error --max-time 60 -X POST "http://127.0.0.1:$port/api/media/generate-image" -H 'Content-Type: application/json' \
		-d '{"prompt":"A lighthouse at dawn","use_generation":true}' >"$work/answer"
	python3 - "$work/answer" <<-'PY'
		import json, sys
		a = json.load(open(sys.argv[1]))
		assert a["success"], a
		print("one real job:", a["image_url"])
	PY
	env -i $(cat "$work/program.env") bin/frontispiece doctor || { echo "the doctor ends with $?"; exit 1; }
}

say "Terraform"
if has terraform; then
	terraform version 2>/dev/null | sed -n 1p
	terraform fmt -check -diff -recursive "$module"
	echo "formatted"
	evaluate
else
	lacks "terraform: formatting and Terraform's own reading of variables and policies (https://developer.hashicorp.com/terraform/install)"
fi

say "An emulator of AWS"
by_terraform=
if has moto_server && has aws && has curl; then
	emulator
	go build -trimpath -o bin/ ./cmd/...
	if has terraform && applied; then
		echo "applied"
	else
		lacks "Terraform's provider hashicorp/aws: init, validate, apply and destroy (it is neither in a plugin cache nor can the registry be reached, and the newest version that the Go module proxy has as one is v1.60.0, of 2019, which knows no origin access control); a bucket and an uploader with the same policy are made with the aws command instead"
		by_hand
	fi
	taken
	use_it
	read_back
	if [ -n "$by_terraform" ]; then
		terraform -chdir="$work/root" destroy -no-color -input=false -auto-approve | tail -1
	fi
else
	lacks "moto_server, aws or curl: one job against an emulator (pip install 'moto[server]' awscli)"
fi

say "What needs neither"
make --no-print-directory .cache/bin/withservices
.cache/bin/withservices go test -count=1 ./internal/deploytest
.cache/bin/withservices go test -count=1 -run '^TestTheModulesRightsAreEnough$' -v ./internal/e2e | grep -E '^(---|ok|FAIL|\s+\S+_test.go)'

say "Summary"
if [ ${#missing[@]} -eq 0 ]; then
	echo "everything was done"
else
	echo "done, but for:"
	printf -- '- %s\n' "${missing[@]}"
fi
