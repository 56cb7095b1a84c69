package config

import (
	"net/netip"
	"testing"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"private": "private", "none": "none", "NONE": "none", "10.0.0.7/8": "10.0.0.0/8", "192.0.2.7": "192.0.2.7/32",
		"2001:db8::1, private": "2001:db8::1/128,private",
	} {
		var n Networks
		if err := n.UnmarshalText([]byte(text)); err != nil || n.String() != want {
			t.Errorf("%q is %s, %v; want %s", text, n, err, want)
		}
		var again Networks
		if err := again.UnmarshalText([]byte(n.String())); err != nil || again.String() != n.String() {
			t.Errorf("%q reads back as %s, %v", n, again, err)
		}
	}
	var private Networks
	if err := private.UnmarshalText([]byte("private")); err != nil {
		t.Fatal(err)
	}
	for _, public := range []string{"8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:4860::1"} {
		for _, p := range private {
			if p.Contains(netip.MustParseAddr(public)) {
				t.Errorf("%s is taken for a private address, by %s", public, p)
			}
		}
	}
	checkRefusal(t, loadError("TRUSTED_PROXIES=0.0.0.0/0"), "TRUSTED_PROXIES")
	checkRefusal(t, loadError("TRUSTED_PROXIES=proxy.internal"), "TRUSTED_PROXIES")
}

func loadError(line string) error {
	_, err := Load([]string{line})
	return err
}
