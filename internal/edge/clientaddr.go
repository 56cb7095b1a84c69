package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

type clientAddrKey struct{}

// ClientAddr is the address of whoever sent a request: the peer's, or what the
// trusted proxies before us say. It is the zero Addr for a peer without one, a
// Unix socket's or a test's.
//
// It is for counting and for logs. Who may do what is never decided by it.
func ClientAddr(r *http.Request) netip.Addr {
	if addr, ok := r.Context().Value(clientAddrKey{}).(netip.Addr); ok {
		return addr
	}
	return peer(r)
}

func peer(r *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr().Unmap()
}

// findClient reads X-Forwarded-For from its end, as far as the trusted proxies
// wrote it: whatever stands before is what a stranger says of itself.
func findClient(trusted []netip.Prefix, log *slog.Logger) Middleware {
	isTrusted := func(addr netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr.WithZone("")) })
	}
	var told atomic.Bool
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			addr := peer(r)
			forwarded := r.Header.Values("X-Forwarded-For")
			if len(forwarded) > 0 && addr.IsValid() && !isTrusted(addr) {
				if !told.Swap(true) {
					log.WarnContext(r.Context(), "requests come with X-Forwarded-For from an address that TRUSTED_PROXIES does not name: "+
						"if it is a proxy, all its clients count as one", "peer", addr.String())
				}
			} else {
				addr = client(addr, forwarded, isTrusted)
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientAddrKey{}, addr)))
		})
	}
}

func client(addr netip.Addr, forwarded []string, isTrusted func(netip.Addr) bool) netip.Addr {
	if len(forwarded) == 0 {
		return addr
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			// Some write a port, too.
			withPort, err := netip.ParseAddrPort(strings.TrimSpace(hop))
			if err != nil {
				return addr
			}
			next = withPort.Addr()
		}
		addr = next.Unmap()
		if !isTrusted(addr) {
			return addr
		}
	}
	return addr
}
