package state

import "testing"

// Pragma asks SQLite for a setting of the store's own connection.
func (s *Store) Pragma(t *testing.T, name string) (value string) {
	t.Helper()
	if err := s.db.QueryRow("PRAGMA " + name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// LimitPages lets the database grow no further, as a full disk would.
func (s *Store) LimitPages(t *testing.T) { s.Pragma(t, "max_page_count = 12") }
