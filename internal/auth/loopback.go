package auth

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// howToAdd ends every refusal of the loopback mode.
const howToAdd = "; to let other machines in, set JWT_SECRET_KEY to the site's secret and list who may approve in EDITORS, " +
	"or make a key (frontispiece keys create), and start again"

// forwardingHeaders are what proxies and tunnels add. A browser cannot be made
// to leave them out by the page that it shows, and no direct client sends them.
var forwardingHeaders = []string{
	"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Host", "X-Original-Forwarded-For",
	"True-Client-Ip", "Cf-Connecting-Ip", "Cf-Ray", "Cf-Visitor", "Fly-Client-Ip", "Fastly-Client-Ip",
	"X-Appengine-User-Ip", "X-Arr-Clientip", "X-Envoy-External-Address", "X-Proxyuser-Ip", "Ngrok-Skip-Browser-Warning",
	"Tailscale-User-Login", "Cdn-Loop",
}

// Loopback is the method for an API without any authentication, which listens
// on this machine only: the caller is an operator. Anything that could carry a
// stranger's request to a loopback port is refused:
//
//   - a Host other than localhost, 127.0.0.1 or [::1], since DNS rebinding makes
//     a stranger's page reach us under the stranger's own name;
//   - a forwarding header, since a tunnel or reverse proxy connects from this
//     machine in the name of somebody else;
//   - a peer address that is not loopback, should the listener be wider than
//     the configuration believed;
//   - a browser's request from another site, since a page that the operator
//     happens to visit must not act as the operator; the pages of this machine
//     and of the given origins may.
//
// It refuses and never passes, so it stands alone or last in a chain.
func Loopback(origins ...string) Method {
	me := Identity{Subject: "loopback", Name: "local operator", Role: Operator, Via: "loopback"}
	// Go's own defence: Sec-Fetch-Site, else Origin against Host.
	var crossOrigin http.CrossOriginProtection
	return func(r *http.Request) (*Identity, error) {
		if header := forwardedBy(r.Header); header != "" {
			return nil, distrusted("this request came through a proxy or tunnel (" + header + " is set) and no authentication is configured")
		}
		if !isLocalHost(r.Host) {
			return nil, distrusted("without authentication this API answers only as localhost, 127.0.0.1 or [::1]")
		}
		if !isLocalPeer(r.RemoteAddr) {
			return nil, distrusted("without authentication this API answers only to this machine")
		}
		if err := crossOrigin.Check(r); err != nil && !trustedOrigin(r.Header.Get("Origin"), origins) {
			return nil, distrusted("without authentication another site's page may not call this API")
		}
		id := me
		return &id, nil
	}
}

func distrusted(message string) error {
	return &editorial.Error{Kind: editorial.Forbidden, Code: "loopback_only", Message: message + howToAdd}
}

func forwardedBy(h http.Header) string {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded") {
			return name
		}
	}
	for _, name := range forwardingHeaders {
		if _, ok := h[name]; ok {
			return name
		}
	}
	return ""
}

// isLocalHost reads a Host header: one of our three names, then perhaps a port.
// It compares spelling, not meaning: 127.1 and 2130706433 reach this machine
// too, and no honest client sends them.
func isLocalHost(host string) bool {
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if len(host) >= len(name) && strings.EqualFold(host[:len(name)], name) {
			port, ok := strings.CutPrefix(host[len(name):], ":")
			return host[len(name):] == "" || ok && isPort(port)
		}
	}
	return false
}

func isPort(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isLocalPeer is true for what is not an address at all: a Unix socket or a
// test's pipe, which only this machine can open.
func isLocalPeer(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err != nil || addr.Addr().Unmap().IsLoopback()
}

// trustedOrigin allows the site's front ends in development too, which are
// served from another port of this machine and are cross-origin therefore.
func trustedOrigin(origin string, trusted []string) bool {
	if slices.Contains(trusted, origin) {
		return true
	}
	for _, scheme := range []string{"http://", "https://"} {
		if host, ok := strings.CutPrefix(origin, scheme); ok {
			return isLocalHost(host)
		}
	}
	return false
}
