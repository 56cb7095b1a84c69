package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Networks are addresses of other machines: "private", or networks and single
// addresses separated by commas, or "none".
type Networks []netip.Prefix

// privateNetworks are where a platform's proxies stand: this machine, RFC 1918,
// carrier-grade NAT, link-local, and their IPv6 likes. Nobody reaches us from
// there over the internet.
var privateNetworks = []string{
	"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
	"::1/128", "fc00::/7", "fe80::/10",
}

// UnmarshalText reads a list.
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	if strings.EqualFold(string(text), "none") {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		if strings.EqualFold(part, "private") {
			for _, p := range privateNetworks {
				*n = append(*n, netip.MustParsePrefix(p))
			}
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			addr, err := netip.ParseAddr(part)
			if err != nil {
				return fmt.Errorf("holds %.60q, which is no network; write private, none, or networks such as 10.0.0.0/8,192.0.2.7", part)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p.Bits() == 0 {
			return fmt.Errorf("holds %.60q, which is everybody, who could then write any address; name the proxies", part)
		}
		*n = append(*n, p.Masked())
	}
	return nil
}

// String is the list as it can be written.
func (n Networks) String() string {
	if len(n) == 0 {
		return "none"
	}
	texts := make([]string, len(n))
	for i, p := range n {
		texts[i] = p.String()
	}
	list := strings.Join(texts, ",")
	return strings.ReplaceAll(list, strings.Join(privateNetworks, ","), "private")
}
