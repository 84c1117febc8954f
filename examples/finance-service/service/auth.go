package service

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var errUnauthenticated = errors.New("a valid bearer token is required")

// authenticator tells who a request is from.
type authenticator struct {
	secret Secret
	faults *FaultSwitch
	now    func() time.Time
}

// subject returns the subject of the request's bearer token. A token is accepted if it is signed with HS256 and the
// service's secret, names a subject and has an expiry that is still to come.
func (a *authenticator) subject(r *http.Request) (string, error) {
	faults := a.faults.Get()
	if faults.AuthOff {
		return "anonymous", nil
	}
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errUnauthenticated
	}
	claims, err := a.parse(strings.TrimSpace(text), faults)
	if err != nil || claims.Subject == "" {
		// The reason for a refused token would help only its forger.
		return "", errUnauthenticated
	}
	return claims.Subject, nil
}

func (a *authenticator) parse(text string, faults Faults) (*jwt.RegisteredClaims, error) {
	claims := &jwt.RegisteredClaims{}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(a.now),
	}
	if faults.ExpiredToken {
		options = append(options, jwt.WithoutClaimsValidation())
	}
	if token, _, err := jwt.NewParser().ParseUnverified(text, claims); err == nil {
		_, signed := token.Method.(*jwt.SigningMethodHMAC)
		if faults.ForgedToken && signed || faults.UnsignedToken && token.Method == jwt.SigningMethodNone {
			return claims, jwt.NewValidator(options...).Validate(claims)
		}
	}
	_, err := jwt.NewParser(options...).ParseWithClaims(text, claims, func(*jwt.Token) (any, error) {
		return []byte(a.secret), nil
	})
	return claims, err
}

type subjectKey struct{}

func withSubject(ctx context.Context, subject string) context.Context {
	return context.WithValue(ctx, subjectKey{}, subject)
}

func subjectFrom(ctx context.Context) string {
	subject, _ := ctx.Value(subjectKey{}).(string)
	return subject
}
