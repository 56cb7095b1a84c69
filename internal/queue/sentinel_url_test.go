package queue

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSentinelURLs(t *testing.T) {
	t.Parallel()
	// What a URL says: the rest of the options is the same for all.
	type said struct {
		Master, User, Password, SentinelPassword string
		Addrs                                    []string
		DB                                       int
	}
	for url, want := range map[string]said{
		"a:1,b:2,c:3?master=m":                      {Master: "m", Addrs: []string{"a:1", "b:2", "c:3"}},
		"a:1/3?master=m":                            {Master: "m", Addrs: []string{"a:1"}, DB: 3},
		"a:1/?master=m":                             {Master: "m", Addrs: []string{"a:1"}},
		"a,[::1]:7,[::1]?master=m":                  {Master: "m", Addrs: []string{"a:26379", "[::1]:7", "[::1]:26379"}},
		":s%40l%2Ft@a:1?master=m":                   {Master: "m", Addrs: []string{"a:1"}, Password: "s@l/t", SentinelPassword: "s@l/t"},
		"app:pw@a:1?master=m":                       {Master: "m", Addrs: []string{"a:1"}, User: "app", Password: "pw", SentinelPassword: "pw"},
		":pw@a:1/1?master=m&sentinel_password=o%26": {Master: "m", Addrs: []string{"a:1"}, DB: 1, Password: "pw", SentinelPassword: "o&"},
		":pw@a:1?sentinel_password=&master=m":       {Master: "m", Addrs: []string{"a:1"}, Password: "pw"},
		"a:1?master=m&sentinel_password=only":       {Master: "m", Addrs: []string{"a:1"}, SentinelPassword: "only"},
	} {
		opt, err := sentinelOptions(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := said{opt.MasterName, opt.Username, opt.Password, opt.SentinelPassword, opt.SentinelAddrs, opt.DB}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", url, diff)
		}
	}
	for _, url := range []string{
		"", "a:1", "a:1/mymaster", "?master=m", ":pw@?master=m", "a:1,,b:2?master=m", "a:1/x?master=m", "a:1/-1?master=m",
		"a:1/0x?master=m", "a:1?master=m&master=%zz", "%zz:pw@a:1?master=m",
	} {
		if opt, err := sentinelOptions(url); err == nil {
			t.Errorf("%q was taken as %+v", url, opt)
		}
	}
}
