package command

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/login"
)

// reachLimit bounds a request whose context does not.
const reachLimit = time.Minute

// reach gives the clients and the addresses of the guard's servers, each with its login.
func (f *guardFlags) reach(proxy endpoint.Proxy) func(source, text string) (*http.Client, string, error) {
	logins := map[string]endpoint.Login{
		guard.SourcePrometheus: loginOf(f.prometheusLoginFile), guard.SourceAlertmanager: loginOf(f.alertmanagerLoginFile),
	}
	inPod := f.inPod()
	return func(source, text string) (*http.Client, string, error) {
		client, address, err := endpoint.Way{Proxy: proxy, InPod: inPod, Login: logins[source]}.Client(text)
		if err != nil {
			return nil, "", err
		}
		client.Timeout = reachLimit
		return client, address, nil
	}
}

// loginOf reads the file at every request, so that a new credential counts as soon as the kubelet has written it.
func loginOf(file string) endpoint.Login {
	if file == "" {
		return nil
	}
	return login.New(func(context.Context) (string, error) { return readSmall(file) })
}

// ownClient is the client for an address of the stack's own criteria. A name that could leave the folder is refused.
func (f *guardFlags) ownClient(name string) (*http.Client, error) {
	if name == "" {
		return &http.Client{}, nil
	}
	if f.ownLogins == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("the guard has no login %q", name)
	}
	return &http.Client{Transport: loginOf(filepath.Join(f.ownLogins, name)).Direct()}, nil
}
