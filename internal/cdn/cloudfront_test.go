package cdn_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/cdn"
)

// cloudfrontAPI plays CloudFront's API: it answers with status and body, and
// remembers what it was asked.
func cloudfrontAPI(t *testing.T, status int, body string) (c cdn.CloudFront, asked *string) {
	t.Helper()
	asked = new(string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		*asked = r.Method + " " + r.URL.Path + "\n" + string(sent) + "\n" + r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return cdn.CloudFront{DistributionID: "E2EXAMPLE1ABCD", AccessKeyID: "key", SecretAccessKey: "hunter2-hunter2", Endpoint: server.URL}, asked
}

func TestInvalidateNamesPictureAndReference(t *testing.T) {
	t.Parallel()
	c, asked := cloudfrontAPI(t, http.StatusCreated, `<Invalidation><Id>I123</Id><Status>InProgress</Status></Invalidation>`)
	id, err := c.Invalidate(t.Context(), "image-1", []string{"/generated/1-a.png*"})
	if err != nil || id != "I123" {
		t.Fatalf("Invalidate = %q, %v", id, err)
	}
	for _, part := range []string{
		"/distribution/E2EXAMPLE1ABCD/invalidation", "<CallerReference>image-1</CallerReference>",
		"<Path>/generated/1-a.png*</Path>", "<Quantity>1</Quantity>", "Credential=key/",
	} {
		if !strings.Contains(*asked, part) {
			t.Errorf("%q is not in what was sent:\n%s", part, *asked)
		}
	}
}

func TestInvalidateSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"AccessDenied":                   "cloudfront:CreateInvalidation",
		"NoSuchDistribution":             "AWS_CLOUDFRONT_DISTRIBUTION_ID",
		"TooManyInvalidationsInProgress": "again in a few minutes",
		"InvalidArgument":                "InvalidArgument",
	} {
		c, _ := cloudfrontAPI(t, http.StatusForbidden, `<ErrorResponse><Error><Type>Sender</Type><Code>`+code+`</Code><Message>no</Message></Error></ErrorResponse>`)
		_, err := c.Invalidate(t.Context(), "image-1", []string{"/a"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want it to say %q", code, err, want)
		}
	}
}
