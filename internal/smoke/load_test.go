package smoke

import "testing"

func TestEmbeddedSuite(t *testing.T) {
	suite, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(suite.Checks); got != 12 {
		t.Errorf("got %d checks, want 12", got)
	}
	if got := suite.Requests(); got != 34 {
		t.Errorf("got %d requests, want 34", got)
	}
}
