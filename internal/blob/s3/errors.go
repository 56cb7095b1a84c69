package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/glad-labs/frontispiece/internal/blob"
)

// verdict is what one of S3's error codes means to us and what helps.
type verdict struct {
	code    string
	config  bool
	message string
}

// verdicts holds the codes that S3 and its kin really send. A status that comes
// without one, or with one that is not here, is judged by [byStatus].
var verdicts = map[string]verdict{
	"AccessDenied":          {blob.CodeAccessDenied, true, "the credentials may not write here: allow s3:PutObject on generated/*, and the KMS key if there is one"},
	"AllAccessDisabled":     {blob.CodeAccessDenied, true, "the store has disabled all access to the bucket: see its console"},
	"AccountProblem":        {blob.CodeAccessDenied, true, "the account has a problem: see its console"},
	"InvalidAccessKeyId":    {blob.CodeBadCredentials, true, "the store does not know AWS_ACCESS_KEY_ID"},
	"XAdminUserNotFound":    {blob.CodeBadCredentials, true, "the store does not know AWS_ACCESS_KEY_ID"}, // versitygw's, as a 404
	"SignatureDoesNotMatch": {blob.CodeBadCredentials, true, "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"},
	"ExpiredToken":          {blob.CodeBadCredentials, true, "the session's credentials have expired: renew them"},
	"InvalidToken":          {blob.CodeBadCredentials, true, "the session token is not valid: renew the credentials"},
	"TokenRefreshRequired":  {blob.CodeBadCredentials, true, "the session token must be renewed"},
	"NoSuchBucket":          {blob.CodeNoSuchBucket, true, "there is no such bucket: create it or correct AWS_S3_BUCKET"},
	"InvalidBucketName":     {blob.CodeNoSuchBucket, true, "AWS_S3_BUCKET is not a bucket's name"},
	"PermanentRedirect":     {blob.CodeWrongRegion, true, "the bucket lies in another region: correct AWS_S3_REGION"},
	"IllegalLocationConstraintException": {
		blob.CodeWrongRegion, true,
		"the bucket lies in another region: correct AWS_S3_REGION",
	},
	"AuthorizationHeaderMalformed": {blob.CodeWrongRegion, true, "the store expects another region: correct AWS_S3_REGION"},
	"RequestTimeTooSkewed":         {blob.CodeClockSkew, true, "this machine's clock is more than 15 minutes off: set it (NTP)"},
	"NotImplemented":               {blob.CodeNotSupported, true, "the store does not support this form of put"},

	"EntityTooLarge": {blob.CodeTooLarge, false, "the store takes no object of this size"},

	"SlowDown":                       {blob.CodeSlowDown, false, "the store asks for fewer requests"},
	"Throttling":                     {blob.CodeSlowDown, false, "the store asks for fewer requests"},
	"TooManyRequests":                {blob.CodeSlowDown, false, "the store asks for fewer requests"},
	"RequestTimeout":                 {blob.CodeTimeout, false, "the store gave up waiting for the bytes"},
	"ConditionalRequestConflict":     {blob.CodeConflict, false, "another put of the same key is under way"},
	"OperationAborted":               {blob.CodeConflict, false, "another change of the bucket is under way"},
	"BadDigest":                      {blob.CodeBadDigest, false, "the bytes arrived damaged"},
	"XAmzContentSHA256Mismatch":      {blob.CodeBadDigest, false, "the bytes arrived damaged"},
	"XAmzContentChecksumMismatch":    {blob.CodeBadDigest, false, "the bytes arrived damaged"},
	"InsufficientStorage":            {blob.CodeFull, false, "the store has no room left"},
	"InsufficientCapacity":           {blob.CodeFull, false, "the store has no room left"},
	"QuotaExceeded":                  {blob.CodeFull, false, "the bucket's quota is used up"},
	"XMinioStorageFull":              {blob.CodeFull, false, "the store has no room left"},
	"XMinioAdminBucketQuotaExceeded": {blob.CodeFull, false, "the bucket's quota is used up"},
}

// classify says what err means. Only codes, hosts and request ids of the answer
// reach the message: an answer's own text may repeat what we signed.
func classify(ctx context.Context, err error, cfg Config) *blob.Error {
	var known *blob.Error
	if errors.As(err, &known) {
		return known
	}
	if status, code := answer(err); status != 0 {
		return judge(err, status, code, cfg)
	}
	if ended := blob.ContextError(ctx); ended != nil {
		return ended
	}
	return connectionError(err)
}

func judge(err error, status int, code string, cfg Config) *blob.Error {
	v, ok := verdicts[code]
	if !ok {
		v = byStatus(status)
	}
	where := fmt.Sprintf("bucket %s: %s (S3 answered %d %s)", cfg.Bucket, v.message, status, orNone(code))
	if id := requestID(err); id != "" {
		where += ", request " + id
	}
	switch {
	case v.code == blob.CodeTooLarge:
		return blob.Terminalf(v.code, err, "%s", where)
	case v.config:
		return blob.Configf(v.code, err, "%s", where)
	default:
		return blob.Transientf(v.code, err, "%s", where)
	}
}

func byStatus(status int) verdict {
	switch {
	case status == 401 || status == 403:
		return verdict{blob.CodeAccessDenied, true, "the credentials may not write here"}
	case status == 404:
		return verdict{blob.CodeNoSuchBucket, true, "nothing is there: check the bucket and the endpoint"}
	case status >= 300 && status < 400:
		return verdict{blob.CodeWrongRegion, true, "the bucket is somewhere else: check AWS_S3_REGION and the endpoint"}
	case status == 409:
		return verdict{blob.CodeConflict, false, "another change is under way"}
	case status == 413:
		return verdict{blob.CodeTooLarge, false, "the store takes no object of this size"}
	case status == 429:
		return verdict{blob.CodeSlowDown, false, "the store asks for fewer requests"}
	case status == 501:
		return verdict{blob.CodeNotSupported, true, "the store does not support this form of put"}
	case status == 507:
		return verdict{blob.CodeFull, false, "the store has no room left"}
	case status >= 500:
		return verdict{blob.CodeUnavailable, false, "the store has trouble of its own"}
	default:
		// Tried again for as long as any upload: the bytes are paid for, and an
		// operator may find what the store dislikes.
		return verdict{blob.CodeRefused, false, "the store refuses this object"}
	}
}

// connectionError judges an error without an answer.
func connectionError(err error) *blob.Error {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
	)
	host := hostOf(err)
	switch {
	case errors.As(err, &cert):
		return blob.Configf(blob.CodeTLS, err, "the certificate of %s is not trusted: %v", host, cert.Err)
	case errors.As(err, &dns):
		return blob.Transientf(blob.CodeUnreachable, err, "the name %s does not resolve", dns.Name)
	case isTimeout(err):
		return blob.Transientf(blob.CodeTimeout, err, "%s did not answer in time", host)
	default:
		return blob.Transientf(blob.CodeUnreachable, err, "no answer from %s: %v", host, rootCause(err))
	}
}

// buildError is about the SDK's configuration: nothing was sent to the bucket.
func buildError(ctx context.Context, err error) error {
	if ended := blob.ContextError(ctx); ended != nil {
		return ended
	}
	return blob.Configf(blob.CodeNoCredentials, err,
		"no usable AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role (%.300v)", rootCause(err))
}

// answer is the status and S3's own code in err, 0 and "" without an answer.
func answer(err error) (status int, code string) {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		status = resp.HTTPStatusCode()
	}
	var api smithy.APIError
	if status != 0 && errors.As(err, &api) {
		code = api.ErrorCode()
	}
	return status, code
}

func requestID(err error) string {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		return resp.ServiceRequestID()
	}
	return ""
}

func hostOf(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		if u, perr := url.Parse(ue.URL); perr == nil && u.Host != "" {
			return u.Host
		}
	}
	return "the store"
}

// rootCause drops the SDK's layers, each of which repeats the one below. Of
// errors joined into one the first counts: when the SDK has no tries left it
// joins the network's answer with a remark about its own bookkeeping.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		var joined interface{ Unwrap() []error }
		if next == nil && errors.As(err, &joined) && len(joined.Unwrap()) > 0 {
			next = joined.Unwrap()[0]
		}
		if next == nil {
			return err
		}
		err = next
	}
}

func orNone(code string) string {
	if code == "" {
		return "without a code"
	}
	return code
}
