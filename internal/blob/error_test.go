package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestAsError(t *testing.T) {
	t.Parallel()
	refused := blob.Configf(blob.CodeAccessDenied, nil, "no")
	tests := []struct {
		name   string
		err    error
		code   string
		class  editorial.Class
		config bool
	}{
		{"wrapped", fmt.Errorf("put: %w", refused), blob.CodeAccessDenied, editorial.Transient, true},
		{"a stranger's is worth another try", fs.ErrClosed, blob.CodeUnexpected, editorial.Transient, false},
		{"terminal", blob.Terminalf(blob.CodeKeyTaken, nil, "no"), blob.CodeKeyTaken, editorial.Terminal, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := blob.AsError(test.err)
			if e.Code != test.code || e.Class != test.class || e.Config != test.config || e.Message == "" {
				t.Errorf("AsError = %+v", e)
			}
		})
	}
	if e := blob.AsError(nil); e != nil {
		t.Errorf("AsError(nil) = %v", e)
	}
}

func TestContextError(t *testing.T) {
	t.Parallel()
	if e := blob.ContextError(t.Context()); e != nil {
		t.Errorf("of a live context = %v", e)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if e := blob.ContextError(canceled); e.Class != editorial.Canceled || !errors.Is(e, context.Canceled) {
		t.Errorf("of a canceled context = %+v", e)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if e := blob.ContextError(late); e.Code != blob.CodeTimeout || e.Class != editorial.Transient {
		t.Errorf("of a context past its deadline = %+v", e)
	}
}
