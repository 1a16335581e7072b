package state

import (
	"context"
	"strings"
	"testing"
)

// StagedQuery is what Staged asks.
const StagedQuery = stagedQuery

// Explain is how SQLite would carry a statement out.
func (s *Store) Explain(t *testing.T, query string) string {
	t.Helper()
	var steps []string
	err := s.query(t.Context(), func(scan scanner) error {
		var id, parent, unused int
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		steps = append(steps, detail)
		return err
	}, "EXPLAIN QUERY PLAN "+query)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "; ")
}

// KeepImage keeps an image in a transaction of its own.
func (s *Store) KeepImage(sha256 string, data []byte) error {
	return s.Update(context.Background(), func(tx *Tx) { tx.KeepImage(sha256, data) })
}

// ImageError is what an error of a file means to the admin.
var ImageError = imageError

// Pragma asks SQLite for a setting of the store's own connection.
func (s *Store) Pragma(t *testing.T, name string) (value string) {
	t.Helper()
	if err := s.db.QueryRow("PRAGMA " + name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// LimitPages lets the database grow no further, as a full disk would.
func (s *Store) LimitPages(t *testing.T) { s.Pragma(t, "max_page_count = 20") }
