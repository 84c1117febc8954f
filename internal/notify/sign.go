package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Headers of a delivery.
const (
	// SignatureHeader holds sha256=HEX: the HMAC-SHA256 with the webhook's key over the timestamp, a dot and the raw body.
	SignatureHeader = "X-Rollout-Signature"
	// TimestampHeader holds the time of sending in Unix seconds. A receiver refuses an old one, so that nobody can replay
	// a delivery.
	TimestampHeader = "X-Rollout-Timestamp"
)

// sign is the value of SignatureHeader.
func sign(key []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Errors of Verify.
var (
	// ErrSignature means that the body or the timestamp is not what the sender signed, or that the key is another one.
	ErrSignature = errors.New("the signature does not fit")
	// ErrStale means that the delivery is older or newer than the receiver allows.
	ErrStale = errors.New("the timestamp is out of range")
)

// Verify checks a delivery as a receiver does: the signature, and that it was sent within the tolerance around now.
func Verify(key []byte, header http.Header, body []byte, now time.Time, tolerance time.Duration) error {
	timestamp := header.Get(TimestampHeader)
	if !hmac.Equal([]byte(sign(key, timestamp, body)), []byte(header.Get(SignatureHeader))) {
		return ErrSignature
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %q is no number of seconds", ErrStale, timestamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)).Abs(); age > tolerance {
		return fmt.Errorf("%w: %s away, and %s are allowed", ErrStale, age, tolerance)
	}
	return nil
}
