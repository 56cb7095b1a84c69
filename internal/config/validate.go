package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// devJWTSecret is printed in the site's public repository, so anybody can sign
// tokens with it.
const devJWTSecret = "dev-jwt-secret-change-in-production-to-random-64-chars"

// minJWTSecret is what RFC 7518 section 3.2 demands for HS256: as many bytes as
// the hash.
const minJWTSecret = 32

func (c Config) validate() error {
	rules := []func(Config) *Error{
		checkRanges, checkListen, checkDirs, checkDatabase, checkShared, checkRedis, checkS3, checkPublicURL,
		checkGenerators, checkSpending, checkTrusted, checkJWT, checkUsers, checkOrigins, checkSite, checkWorkerQueues, checkNesting,
		checkWatching,
	}
	for _, rule := range rules {
		if err := rule(c); err != nil {
			return err
		}
	}
	return nil
}

// ValidateWorker refuses, for a process that is only a worker, whatever would
// keep it from ever meeting its API.
func (c Config) ValidateWorker() error {
	switch {
	case c.RedisURL.IsZero():
		return &Error{
			"REDIS_URL", "is not set, so this worker would have a queue of its own that no API rings",
			"set the same REDIS_URL for the API and for every worker, or run the API alone, which works on the jobs itself",
		}
	case !c.set["DATABASE_URL"]:
		return &Error{
			"DATABASE_URL", "is not set, so this worker would have a database of its own without any job",
			"set the same DATABASE_URL for the API and for every worker: postgres://…, or on one machine sqlite:path",
		}
	default:
		return nil
	}
}

// Warnings are the combinations that work and are probably not meant, one line
// each, for the start-up log and the doctor.
func (c Config) Warnings() []string {
	var out []string
	warn := func(when bool, text string) {
		if when {
			out = append(out, text)
		}
	}
	warn(c.AuthConfigured() && len(c.Editors)+len(c.Operators) == 0,
		"EDITORS and OPERATORS are empty: no user of the site can approve a picture; add the ids of those who may, or give them keys (frontispiece keys create)")
	warn(!c.UsesS3() && c.AWSAccessKeyID != "",
		"AWS_ACCESS_KEY_ID is set and AWS_S3_BUCKET is not: pictures are kept in "+c.ImageDir())
	warn(!c.Embedded() && !c.UsesS3(),
		"REDIS_URL is set and AWS_S3_BUCKET is not: the API and every worker must see the same "+c.ImageDir())
	warn(!c.Embedded() && !c.set["DATABASE_URL"],
		"REDIS_URL is set and DATABASE_URL is not: jobs wait for a cmd/worker, which must be given DATABASE_URL="+c.DatabaseURL.String())
	warn(c.SpendCap > 0 && !slices.ContainsFunc(c.GeneratorList(), func(g Generator) bool { return g.Cost != nil }),
		"SPEND_CAP is set and no generator has a cost, so it stops nothing: add ?cost=0.04 to those in GENERATORS that cost money")
	warn(c.Loopback() && c.JWTSecretKey.Reveal() == devJWTSecret,
		"JWT_SECRET_KEY is the published development secret: good for this machine only")
	return out
}

// checkRanges applies the min, max and oneof tags.
func checkRanges(c Config) *Error {
	for _, f := range fields() {
		value := f.value(c)
		if f.oneof != "" && !slices.Contains(strings.Fields(f.oneof), fmt.Sprint(value)) {
			return &Error{f.name, fmt.Sprintf("is %.40q", value), "write " + strings.ReplaceAll(f.oneof, " ", " or ")}
		}
		low, high := f.bounds()
		if n, ok := number(value); ok && (n < low || n > high) {
			return &Error{f.name, fmt.Sprintf("is %v, out of range", value), "write " + f.rangeText()}
		}
	}
	return nil
}

func checkListen(c Config) *Error {
	if c.Port != "" && !isPort(c.Port) {
		return &Error{"PORT", fmt.Sprintf("is %.40q", c.Port), "write a port number from 0 to 65535"}
	}
	host, port, err := net.SplitHostPort(c.ListenAddr)
	if err != nil || !isPort(port) {
		return &Error{"LISTEN_ADDR", fmt.Sprintf("is %.60q", c.ListenAddr), "write host:port, such as 127.0.0.1:8000 or [::1]:8000"}
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !hostName.MatchString(host) {
		return &Error{"LISTEN_ADDR", fmt.Sprintf("names the host %.60q", host), "write an address or a host name without scheme or path"}
	}
	return nil
}

var hostName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$`)

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// isLoopback reports whether a listening address is out of other machines'
// reach. An empty host is every address.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// checkDirs keeps the spool out of the folder that is served to everybody.
func checkDirs(c Config) *Error {
	inside, err := filepath.Rel(c.ImageDir(), c.SpoolDir)
	if err == nil && inside != ".." && !strings.HasPrefix(inside, ".."+string(filepath.Separator)) {
		return &Error{"SPOOL_DIR", "lies in " + c.ImageDir() + ", which is served to everybody", "choose a folder of its own, such as " + filepath.Join(c.DataDir, "spool")}
	}
	if c.SpoolDir == c.DataDir {
		return &Error{"SPOOL_DIR", "is DATA_DIR itself", "choose a folder of its own, such as " + filepath.Join(c.DataDir, "spool")}
	}
	return nil
}

func checkDatabase(c Config) *Error {
	const fix = "write postgres://user:password@host:5432/name or sqlite:path"
	switch c.DatabaseURL.Scheme() {
	case "postgres", "postgresql":
		if c.DatabaseURL.Host() == "" && !c.DatabaseURL.parsed().Query().Has("host") {
			return &Error{"DATABASE_URL", "names no host", fix}
		}
	case "sqlite":
		path, _ := c.DatabaseURL.SQLitePath()
		switch {
		case path == "" || strings.HasSuffix(path, "/"):
			return &Error{"DATABASE_URL", "names no file", "write sqlite:path, such as sqlite:data/frontispiece.db"}
		case strings.HasPrefix(path, ":memory:"):
			return &Error{"DATABASE_URL", "is a database in memory, which would lose accepted jobs", "write sqlite:path"}
		case strings.ContainsAny(path, "?#%"):
			return &Error{"DATABASE_URL", "has ? # or % in its path", "write the path alone; pragmas are set by us"}
		}
	default:
		return unknownScheme("DATABASE_URL", c.DatabaseURL, fix)
	}
	return nil
}

// checkShared refuses an API that other machines call and whose jobs no worker
// of another machine could see. On loopback that is a warning.
func checkShared(c Config) *Error {
	if c.Embedded() || c.set["DATABASE_URL"] || c.Loopback() {
		return nil
	}
	return &Error{
		"DATABASE_URL", "is not set and REDIS_URL is, so this API would keep its jobs in a file of its own, which ends with its container and which no worker sees",
		"set the same DATABASE_URL for the API and for every worker: postgres://…, or on one machine sqlite:path",
	}
}

func checkRedis(c Config) *Error {
	u := c.RedisURL
	if u.IsZero() {
		return nil
	}
	const fix = "write redis://host:6379/0, rediss:// for TLS or redis-sentinel://host1:26379,host2:26379?master=name"
	switch u.Scheme() {
	case "redis", "rediss", "redis-sentinel":
	default:
		return unknownScheme("REDIS_URL", u, fix)
	}
	if u.Host() == "" {
		return &Error{"REDIS_URL", "names no host", fix}
	}
	if u.Scheme() == "redis-sentinel" {
		if u.parsed().Query().Get("master") == "" {
			return &Error{"REDIS_URL", "names no master", "append ?master= and the name that the sentinels know"}
		}
		return nil
	}
	if db := strings.Trim(u.parsed().Path, "/"); db != "" {
		if n, err := strconv.Atoi(db); err != nil || n < 0 {
			return &Error{"REDIS_URL", "ends in a path that is not a database number", fix}
		}
	}
	return nil
}

// unknownScheme repeats the scheme only where it is surely one: what stands
// before a lone colon may be a password pasted into the wrong variable.
func unknownScheme(name string, u URL, fix string) *Error {
	if strings.Contains(u.Reveal(), "://") {
		return &Error{name, fmt.Sprintf("has the unknown scheme %.20q", u.Scheme()), fix}
	}
	return &Error{name, "has an unknown scheme", fix}
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName = regexp.MustCompile(`^[a-zA-Z0-9-]+$`)
	// A distribution's id, as opposed to its domain or its ARN.
	distributionID = regexp.MustCompile(`^[A-Z0-9]{5,20}$`)
)

func checkS3(c Config) *Error {
	switch {
	case c.S3Bucket != "" && !bucketName.MatchString(c.S3Bucket):
		return &Error{"AWS_S3_BUCKET", fmt.Sprintf("is %.70q", c.S3Bucket), "write the bucket's name alone: 3 to 63 lower-case letters, digits, dots and dashes"}
	case !regionName.MatchString(c.S3Region):
		return &Error{"AWS_S3_REGION", fmt.Sprintf("is %.40q", c.S3Region), "write a region such as us-east-1"}
	case c.AWSAccessKeyID != "" && c.AWSSecretAccessKey.IsZero():
		return &Error{"AWS_SECRET_ACCESS_KEY", "is not set but AWS_ACCESS_KEY_ID is", "set both, or neither to use the AWS SDK's profiles and roles"}
	case c.AWSAccessKeyID == "" && !c.AWSSecretAccessKey.IsZero():
		return &Error{"AWS_ACCESS_KEY_ID", "is not set but AWS_SECRET_ACCESS_KEY is", "set both, or neither to use the AWS SDK's profiles and roles"}
	case c.AWSAccessKeyID == "" && !c.AWSSessionToken.IsZero():
		return &Error{"AWS_ACCESS_KEY_ID", "is not set but AWS_SESSION_TOKEN is", "set the key, its secret and the token together"}
	case !c.S3Endpoint.IsZero() && !c.UsesS3():
		return &Error{"AWS_S3_BUCKET", "is not set but AWS_ENDPOINT_URL_S3 is", "name the bucket, or unset AWS_ENDPOINT_URL_S3 to keep pictures locally"}
	}
	return checkWeb("AWS_ENDPOINT_URL_S3", c.S3Endpoint)
}

func checkPublicURL(c Config) *Error {
	if err := checkWeb("PUBLIC_BASE_URL", c.PublicBaseURL); err != nil {
		return err
	}
	switch domain := c.CloudFrontDomain; {
	case c.CloudFrontID != "" && !distributionID.MatchString(c.CloudFrontID):
		return &Error{"AWS_CLOUDFRONT_DISTRIBUTION_ID", fmt.Sprintf("is %.80q", c.CloudFrontID), "write the id alone, such as E2EXAMPLE1ABCD"}
	case domain == "" && c.CloudFrontID != "":
		return &Error{"AWS_CLOUDFRONT_DOMAIN", "is not set but AWS_CLOUDFRONT_DISTRIBUTION_ID is", "set the distribution's domain too, or unset its id"}
	case domain == "":
		return nil
	case !hostName.MatchString(domain) || !strings.Contains(domain, "."):
		return &Error{"AWS_CLOUDFRONT_DOMAIN", fmt.Sprintf("is %.80q", domain), "write the domain alone, such as d1a2b3c4.cloudfront.net"}
	case !c.UsesS3():
		return &Error{"AWS_S3_BUCKET", "is not set but AWS_CLOUDFRONT_DOMAIN is", "name the bucket behind the distribution, or unset the domain"}
	case !c.PublicBaseURL.IsZero():
		return &Error{"PUBLIC_BASE_URL", "and AWS_CLOUDFRONT_DOMAIN are both set, and a picture has one public URL", "unset one of them"}
	}
	return nil
}

// checkWeb wants an absolute http(s) URL that paths can be appended to.
func checkWeb(name string, u URL) *Error {
	if u.IsZero() {
		return nil
	}
	const fix = "write https://host/path"
	if u.Scheme() != "http" && u.Scheme() != "https" {
		return unknownScheme(name, u, fix)
	}
	switch p := u.parsed(); {
	case p.Hostname() == "":
		return &Error{name, "names no host", fix}
	case p.RawQuery != "" || p.Fragment != "" || p.ForceQuery:
		return &Error{name, "has a query or a fragment", fix + " without ? and #"}
	}
	return nil
}

func checkTrusted(c Config) *Error {
	for _, host := range c.TrustedHosts {
		name, port, err := net.SplitHostPort(host)
		if n, bad := strconv.Atoi(port); err != nil || name == "" || bad != nil || n < 1 || n > 65535 {
			return &Error{"TRUSTED_PICTURE_HOSTS", fmt.Sprintf("lists %.80q", host), "write host:port, such as files.internal:80"}
		}
	}
	return nil
}

func checkJWT(c Config) *Error {
	if !c.AuthConfigured() || c.Loopback() {
		return nil
	}
	name := "JWT_SECRET"
	if c.set["JWT_SECRET_KEY"] {
		name = "JWT_SECRET_KEY"
	}
	const fix = "set a secret that nobody knows, the same in the site's backend: openssl rand -hex 32"
	switch secret := c.JWTSecretKey.Reveal(); {
	case secret == devJWTSecret:
		return &Error{name, "is the site's published development secret, with which anybody can sign a token", fix}
	case len(secret) < minJWTSecret:
		return &Error{name, fmt.Sprintf("is shorter than %d characters, so it can be guessed from one token", minJWTSecret), fix}
	}
	return nil
}

// checkSpending refuses a cap of nothing, which is no cap.
func checkSpending(c Config) *Error {
	if c.set["SPEND_CAP"] && c.SpendCap == 0 {
		return &Error{"SPEND_CAP", "is 0", "unset it for no cap; to spend nothing, list only generators that cost nothing in GENERATORS"}
	}
	return nil
}

func checkUsers(c Config) *Error {
	for _, list := range []struct {
		name string
		ids  []string
	}{{"EDITORS", c.Editors}, {"OPERATORS", c.Operators}} {
		switch {
		case slices.Contains(list.ids, "*"):
			return &Error{list.name, "holds *, which is no user's id", "list the ids of those who may"}
		case len(list.ids) > 0 && !c.AuthConfigured():
			return &Error{list.name, "lists users but nothing tells who a caller is", "set JWT_SECRET_KEY to the site's secret, or unset " + list.name}
		}
	}
	return nil
}

func checkOrigins(c Config) *Error {
	for _, origin := range c.AllowedOrigins {
		u, err := url.Parse(origin)
		const fix = "write https://host or http://host:port for each, without a path or a slash at the end"
		switch {
		case origin == "*":
			return &Error{"ALLOWED_ORIGINS", "is *, which browsers refuse together with credentials", "list the origins of the site's pages"}
		case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Scheme+"://"+u.Host != origin:
			return &Error{"ALLOWED_ORIGINS", fmt.Sprintf("holds %.80q, which is not an origin", origin), fix}
		}
	}
	return nil
}

func checkSite(c Config) *Error {
	if err := checkWeb("SITE_BACKEND_URL", c.SiteBackendURL); err != nil {
		return err
	}
	if err := checkWeb("REVALIDATE_URL", c.RevalidateURL); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(c.ListenAddr)
	backend := c.SiteBackendURL.parsed()
	switch {
	case !c.SiteBackendURL.IsZero() && port != "0" && backend.Port() == port && isLoopback(net.JoinHostPort(backend.Hostname(), port)):
		return &Error{"SITE_BACKEND_URL", "is this API's own address, so every passed request would come back to us", "write the address of the site's present backend, or listen on another port"}
	case !c.RevalidateSecret.IsZero() && c.RevalidateURL.IsZero():
		return &Error{"REVALIDATE_URL", "is not set but REVALIDATE_SECRET is", "set both, or neither"}
	}
	return nil
}

func checkWorkerQueues(c Config) *Error {
	all := []string{QueueGenerate, QueueUpload, QueueNotify}
	for _, q := range c.WorkerQueues {
		if !slices.Contains(all, q) {
			return &Error{"WORKER_QUEUES", fmt.Sprintf("holds %.40q", q), "list some of " + strings.Join(all, ", ")}
		}
	}
	missing := slices.IndexFunc(all, func(q string) bool { return !c.WorksOn(q) })
	switch {
	case len(c.WorkerQueues) == 0:
		return &Error{"WORKER_QUEUES", "lists nothing to work on", "list some of " + strings.Join(all, ", ")}
	case c.Embedded() && missing >= 0:
		return &Error{
			"WORKER_QUEUES", "leaves out " + all[missing] + ", and without REDIS_URL there is no other worker to do it",
			"unset WORKER_QUEUES, or set REDIS_URL and start more workers",
		}
	}
	return nil
}

// checkNesting refuses an inner wait that is not shorter than the wait around
// it: the outer one would end first and the inner one never be what happened.
func checkNesting(c Config) *Error {
	switch generate, upload := c.GenerateTaskTimeout(), c.UploadTaskTimeout(); {
	case generate > maxTask:
		return &Error{
			"GENERATE_TIMEOUT", fmt.Sprintf("%v for each of %d generators makes a task of %v, and no task may take longer than %v", c.GenerateTimeout, len(c.Generators), generate, maxTask),
			"lower GENERATE_TIMEOUT, or list fewer generators",
		}
	case c.UploadFor <= upload:
		return &Error{
			"UPLOAD_FOR", fmt.Sprintf("%v ends before one whole try can: finishing, then %d objects put and fetched back at UPLOAD_TIMEOUT %v each is %v", c.UploadFor, 1+len(c.Renditions), c.UploadTimeout, upload),
			"write more than " + upload.String() + ", or lower UPLOAD_TIMEOUT",
		}
	case c.UploadFor <= c.SpoolLostAfter:
		return &Error{
			"SPOOL_LOST_AFTER", fmt.Sprintf("%v is not shorter than UPLOAD_FOR %v, so uploads would be given up before their spool is known to be lost", c.SpoolLostAfter, c.UploadFor),
			"write less than " + c.UploadFor.String(),
		}
	}
	return nil
}
