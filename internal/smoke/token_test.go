package smoke

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var testTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// verify parses a token the way a careful service does.
func verify(token string, secret []byte, now time.Time) error {
	_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	return err
}

func TestNewTokensFromSecret(t *testing.T) {
	secret := []byte("the service's secret")
	tokens, err := NewTokens(secret, "", testTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(tokens.Token, secret, testTime.Add(119*time.Second)); err != nil {
		t.Errorf("the token is refused within its two minutes: %v", err)
	}
	if err := verify(tokens.Token, secret, testTime.Add(121*time.Second)); err == nil {
		t.Error("the token is accepted after its two minutes")
	}
	if err := verify(tokens.ForgedToken, secret, testTime); err == nil {
		t.Error("the forged token is accepted")
	}
	if err := verify(tokens.ExpiredToken, secret, testTime); err == nil {
		t.Error("the expired token is accepted")
	}
	if err := verify(tokens.ExpiredToken, secret, testTime.Add(-90*time.Minute)); err != nil {
		t.Errorf("the expired token has something else wrong with it, too: %v", err)
	}
	if claims(t, tokens.ForgedToken) != claims(t, tokens.Token) {
		t.Error("the forged token claims something else than the token")
	}
}

// claims is the encoded claims of a token.
func claims(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token has 3 parts, this one %d", len(parts))
	}
	return parts[1]
}

// A token says who made it, for whom, and which one it is.
func TestATokenSaysWhoMadeItForWhomAndWhichItIs(t *testing.T) {
	secret := []byte("the service's secret")
	seen := map[string]bool{}
	for range 2 {
		tokens, err := NewTokens(secret, "", testTime)
		if err != nil {
			t.Fatal(err)
		}
		for name, token := range map[string]string{"accepted": tokens.Token, "expired": tokens.ExpiredToken} {
			got := &jwt.RegisteredClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(token, got); err != nil {
				t.Fatal(err)
			}
			if got.Issuer != "finance-rollout" || strings.Join(got.Audience, ",") != "smoke-suite" || len(got.ID) != 32 {
				t.Errorf("the %s token claims %+v", name, got)
			}
			if seen[got.ID] {
				t.Errorf("two tokens have the identifier %s", got.ID)
			}
			seen[got.ID] = true
		}
	}
}

func TestNewTokensGiven(t *testing.T) {
	secret := []byte("the service's secret")
	claimed, err := smokeClaims(testTime, testTime.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	given, err := sign(claimed, secret)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		secret, given string
		at            time.Time
		want          string
	}{
		"with the secret":    {string(secret), given, testTime, ""},
		"without the secret": {"", given + "\n", testTime, ""},
		"expired":            {string(secret), given, testTime.Add(time.Hour), "expired at 2026-03-02T10:00:00Z"},
		"not a token":        {string(secret), "hunter2hunter2", testTime, "not a JSON Web Token"},
		"not JSON":           {string(secret), "hunter2.hunter2.hunter2", testTime, "not a JSON Web Token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tokens, err := NewTokens([]byte(test.secret), test.given, test.at)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got error %v, want %q and not the token", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tokens.Token != given || tokens.ForgedToken == "" || (tokens.ExpiredToken == "") != (test.secret == "") {
				t.Errorf("got the given token: %t, a forged one: %t, an expired one: %t",
					tokens.Token == given, tokens.ForgedToken != "", tokens.ExpiredToken != "")
			}
			if claims(t, tokens.ForgedToken) != claims(t, given) {
				t.Error("the forged token claims something else than the given one")
			}
		})
	}
}

// A token whose end cannot be read might have expired: it is refused before the service refuses it.
func TestAGivenTokenWithoutAReadableEndIsRefused(t *testing.T) {
	given, err := sign(jwt.MapClaims{"sub": "anna", "exp": "tomorrow"}, []byte("the service's secret"))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := NewTokens(nil, given, testTime)
	if err == nil || !strings.Contains(err.Error(), "an exp claim that is not a number; ask for a new one") ||
		strings.Contains(err.Error(), given) || tokens != (Tokens{}) {
		t.Errorf("error %v", err)
	}
}

func TestUnsignedTokenIsReadable(t *testing.T) {
	token, _, err := jwt.NewParser().ParseUnverified(unsignedToken, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	expires, err := token.Claims.GetExpirationTime()
	if err != nil || token.Method != jwt.SigningMethodNone || expires.Year() != 2100 {
		t.Errorf("got method %v and expiry %v (%v), want none and the year 2100", token.Method.Alg(), expires, err)
	}
}

func TestTokensDoNotPrint(t *testing.T) {
	tokens, err := NewTokens([]byte("the service's secret"), "", testTime)
	if err != nil {
		t.Fatal(err)
	}
	values := tokens.Values("production", "https://app.example.com")
	for _, value := range []any{tokens, &tokens, values, &values, []Values{values}} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			fmt.Sprintf("%v", value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprint(value), string(encoded),
		} {
			for _, token := range []string{tokens.Token, tokens.ForgedToken, tokens.ExpiredToken} {
				if strings.Contains(text, token) {
					t.Errorf("%T prints a token", value)
				}
			}
		}
	}
}
