package testenv_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

func TestTheSentinelsPromoteTheReplica(t *testing.T) {
	t.Parallel()
	s := testenv.StartSentinels(t)
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: s.Sentinels[0].Addr})
	t.Cleanup(func() { sentinel.Close() })
	switched := sentinel.Subscribe(t.Context(), "+switch-master")
	t.Cleanup(func() { switched.Close() })
	if _, err := switched.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Master.Kill()
	<-switched.Channel()
	addr, err := sentinel.GetMasterAddrByName(t.Context(), service.MasterName).Result()
	if err != nil || len(addr) != 2 || "127.0.0.1:"+addr[1] != s.Replica.Addr {
		t.Errorf("the master is %v, %v; want the replica at %s", addr, err, s.Replica.Addr)
	}
}

func TestThePoolerSharesSessions(t *testing.T) {
	t.Parallel()
	pooler := testenv.StartPgbouncer(t, testenv.Postgres(t))
	seen := map[int]bool{}
	for range 8 {
		conn := connect(t, pooler.URL+"&default_query_exec_mode=exec")
		var pid int
		if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		seen[pid] = true
	}
	if len(seen) > 3 {
		t.Errorf("eight connections that are all open have %d sessions, want three at most", len(seen))
	}
}
