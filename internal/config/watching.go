package config

import (
	"fmt"
	"net"
	"net/netip"
)

// minMetricsToken is what keeps a token from being guessed by asking.
const minMetricsToken = 16

func checkWatching(c Config) *Error {
	if err := checkWeb("OTEL_EXPORTER_OTLP_ENDPOINT", c.OTLPEndpoint); err != nil {
		return err
	}
	if token := c.MetricsToken.Reveal(); token != "" && len(token) < minMetricsToken {
		return &Error{"METRICS_TOKEN", fmt.Sprintf("is shorter than %d characters, so it can be guessed", minMetricsToken), "openssl rand -hex 16"}
	}
	if c.MetricsAddr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(c.MetricsAddr)
	if err != nil || !isPort(port) || host != "" && !hostName.MatchString(host) && !isAddress(host) {
		return &Error{"METRICS_ADDR", fmt.Sprintf("is %.60q", c.MetricsAddr), "write host:port, such as 127.0.0.1:9090 or :9090"}
	}
	if c.MetricsToken.IsZero() && !isLoopback(c.MetricsAddr) {
		return &Error{
			"METRICS_ADDR", c.MetricsAddr + " can be reached from other machines and METRICS_TOKEN is not set",
			"set METRICS_TOKEN, or listen on " + net.JoinHostPort("127.0.0.1", port),
		}
	}
	return nil
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
