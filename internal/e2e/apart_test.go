package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/glad-labs/frontispiece/tasks"
)

// Generating and storing in processes of their own over one spool, as
// deploy/kubernetes has them: nothing is made before somebody can store it.
func TestGeneratingAndStoringApart(t *testing.T) {
	t.Parallel()
	s := startSite(t, plan{
		workers: 1, sharedSpool: true, queues: "generate",
		env: []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="}, // for those who store
	})
	maker := s.workers[0]
	maker.stderr.says(t, productionBound, "no worker takes the uploads of SPOOL_DIR")
	draft := s.newDraft("Apart")
	s.mustSubmit(orderFor(draft, 2))
	s.approve(draft)
	if got := s.served(); slices.Contains(got, tasks.QueueGenerate) {
		t.Errorf("the queues %v are served: a picture would be paid for and wait for nobody", got)
	}

	keeper := newProgram(t, "worker", "keeper", append(maker.env[:len(maker.env):len(maker.env)], "WORKER_QUEUES=upload,notify",
		"AWS_ACCESS_KEY_ID="+s.gateway.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s.gateway.SecretAccessKey)...)
	keeper.start()
	s.workers = append(s.workers, keeper)
	r := s.check()
	r.wantAllStored(t)
	if len(r.posts) != 1 {
		t.Errorf("%d posts of one approved draft", len(r.posts))
	}
	if strings.Contains(maker.stderr.String(), "uploads are paused") {
		t.Error("the worker that uploads nothing complains of its bucket")
	}
	for _, queue := range []string{tasks.QueueGenerate, tasks.UploadQueue(s.spoolOf(maker))} {
		if got := s.served(); !slices.Contains(got, queue) {
			t.Errorf("nobody serves %s, only %v", queue, got)
		}
	}
}

// served lists the queues of the running workers, as they say themselves.
func (s *site) served() (queues []string) {
	s.t.Helper()
	opt, err := asynq.ParseRedisURI(s.redis.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	inspector := asynq.NewInspector(opt)
	defer inspector.Close()
	servers, err := inspector.Servers()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, server := range servers {
		for name := range server.Queues {
			queues = append(queues, name)
		}
	}
	return queues
}
