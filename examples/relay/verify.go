package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"
)

func verify(key []byte, header http.Header, body []byte, now time.Time) error {
	timestamp := header.Get("X-Rollout-Timestamp")
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(timestamp + "." + string(body)))
	want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if !hmac.Equal([]byte(want), []byte(header.Get("X-Rollout-Signature"))) || err != nil ||
		now.Sub(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return errors.New("not from the rollout, or replayed")
	}
	return nil
}
