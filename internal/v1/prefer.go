package v1

import (
	"strconv"
	"strings"
	"time"
)

// maxWait bounds a long poll: what proxies on the way usually let stand.
const maxWait = 120 * time.Second

// preference is what a Prefer header asks (RFC 7240).
type preference struct {
	wait  time.Duration // 0: answer at once
	async bool
}

// parsePrefer reads a Prefer header. What it does not understand it passes
// over, as the RFC demands of preferences, and a longer wait than the longest
// is the longest. respond-async with a wait means: wait first.
func parsePrefer(header string) preference {
	var p preference
	for item := range strings.SplitSeq(header, ",") {
		item, _, _ = strings.Cut(item, ";")
		name, value, _ := strings.Cut(item, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			p.async = true
		case "wait":
			n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
			if err == nil && n > 0 && p.wait == 0 { // the first of two counts
				p.wait = time.Duration(min(n, int(maxWait.Seconds()))) * time.Second
			}
		}
	}
	return p
}

// applied is the value of Preference-Applied.
func (p preference) applied() string {
	var applied []string
	if p.async {
		applied = append(applied, "respond-async")
	}
	if p.wait > 0 {
		applied = append(applied, "wait="+strconv.Itoa(int(p.wait.Seconds())))
	}
	return strings.Join(applied, ", ")
}
