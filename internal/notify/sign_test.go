package notify

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestVerifyRefuses(t *testing.T) {
	now := time.Unix(1_770_000_000, 0)
	header := func(timestamp, signature string) http.Header {
		return http.Header{TimestampHeader: {timestamp}, SignatureHeader: {signature}}
	}
	// printf '1770000000.{}' | openssl dgst -sha256 -hmac a-key-of-the-receiver
	const good = "sha256=af0419b25663f40812a66815db33f21db61649094d44adbca09942cd33c69b0c"
	for name, tt := range map[string]struct {
		key, body string
		header    http.Header
		at        time.Time
		want      error
	}{
		"nothing":           {key, "{}", header("1770000000", good), now, nil},
		"another body":      {key, "{ }", header("1770000000", good), now, ErrSignature},
		"another key":       {"other", "{}", header("1770000000", good), now, ErrSignature},
		"no signature":      {key, "{}", header("1770000000", ""), now, ErrSignature},
		"a newer timestamp": {key, "{}", header("1770000300", good), now, ErrSignature},
		"a replay":          {key, "{}", header("1770000000", good), now.Add(6 * time.Minute), ErrStale},
		"no timestamp":      {key, "{}", header("", sign([]byte(key), "", []byte("{}"))), now, ErrStale},
	} {
		if err := Verify([]byte(tt.key), tt.header, []byte(tt.body), tt.at, 5*time.Minute); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
