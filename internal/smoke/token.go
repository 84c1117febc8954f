package smoke

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLifetime is how long a signed token is valid: long enough for a suite, too short to be worth stealing.
const tokenLifetime = 2 * time.Minute

// Tokens are the bearer tokens that a suite signs in with. A field is empty if there was nothing to make it from; the
// checks that need it then report an error.
type Tokens struct {
	// Token is accepted by a healthy service.
	Token string
	// ForgedToken claims the same as Token but is signed with another key.
	ForgedToken string
	// ExpiredToken is signed with the right key and expired an hour ago.
	ExpiredToken string
}

// NewTokens makes the tokens for one run of a suite. The accepted token is given, if it is not empty (the caller looks
// up STAGING_JWT_TOKEN or PROD_JWT_TOKEN), else an HS256 token signed with secret, valid for two minutes from now. The
// expired token can only be made from secret. With neither there are no tokens, which is not an error here: the checks
// that need one will say so.
//
// The error names what is wrong with given, never its value.
func NewTokens(secret []byte, given string, now time.Time) (Tokens, error) {
	given = strings.TrimSpace(given)
	if given == "" && len(secret) == 0 {
		return Tokens{}, nil
	}
	// A key that exists only here can never be the service's.
	foreignKey := make([]byte, 32)
	if _, err := rand.Read(foreignKey); err != nil {
		return Tokens{}, fmt.Errorf("make a key to forge a token with: %w", err)
	}
	claims, err := smokeClaims(now, now.Add(tokenLifetime))
	if err != nil {
		return Tokens{}, err
	}
	if given != "" {
		if claims, err = givenClaims(given, now); err != nil {
			return Tokens{}, err
		}
	}
	tokens := Tokens{Token: given}
	if tokens.ForgedToken, err = sign(claims, foreignKey); err != nil {
		return Tokens{}, err
	}
	if len(secret) == 0 {
		return tokens, nil
	}
	if tokens.Token == "" {
		if tokens.Token, err = sign(claims, secret); err != nil {
			return Tokens{}, err
		}
	}
	expired, err := smokeClaims(now.Add(-2*time.Hour), now.Add(-time.Hour))
	if err != nil {
		return Tokens{}, err
	}
	if tokens.ExpiredToken, err = sign(expired, secret); err != nil {
		return Tokens{}, err
	}
	return tokens, nil
}

// Values are the templated values of a suite's run with these tokens.
func (t Tokens) Values(environment, allowedOrigin string) Values {
	return Values{
		Environment:   environment,
		AllowedOrigin: allowedOrigin,
		Token:         t.Token,
		ForgedToken:   t.ForgedToken,
		ExpiredToken:  t.ExpiredToken,
	}
}

// Format keeps the tokens out of whatever prints them.
func (t Tokens) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smoke.Tokens{[redacted]}") }

// MarshalText keeps the tokens out of JSON and structured logs.
func (t Tokens) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// The issuer of the suite's tokens, and the audience that they are for: a service that checks neither takes them as
// well, and an audit log tells them from those of customers.
const (
	tokenIssuer   = "finance-rollout"
	tokenAudience = "smoke-suite"
)

// smokeClaims are the claims of a token that names the smoke suite as its subject. Each token has an identifier of its
// own, by which a service or its log can tell it from another one.
func smokeClaims(issued, expires time.Time) (jwt.MapClaims, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("make the identifier of a token: %w", err)
	}
	return jwt.MapClaims{
		"iss": tokenIssuer,
		"aud": tokenAudience,
		"sub": "smoke-suite",
		"jti": hex.EncodeToString(id),
		"iat": jwt.NewNumericDate(issued),
		"exp": jwt.NewNumericDate(expires),
	}, nil
}

// givenClaims reads the claims of a token that the operator handed in. Its signature is for the service to judge.
func givenClaims(token string, now time.Time) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		// The parser's error may quote the token.
		return nil, errors.New("the given token is not a JSON Web Token (three dot-separated parts); " +
			"set STAGING_JWT_TOKEN or PROD_JWT_TOKEN to one, or unset it to have one signed with the jwt-secret")
	}
	expires, err := claims.GetExpirationTime()
	if err != nil {
		return nil, errors.New("the given token has an exp claim that is not a number; ask for a new one")
	}
	if expires != nil && !expires.After(now) {
		return nil, fmt.Errorf("the given token expired at %s; set STAGING_JWT_TOKEN or PROD_JWT_TOKEN to a new one, "+
			"or unset it to have one signed with the jwt-secret", expires.UTC().Format(time.RFC3339))
	}
	return claims, nil
}

func sign(claims jwt.MapClaims, key []byte) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign a token for the smoke suite: %w", err)
	}
	return token, nil
}
