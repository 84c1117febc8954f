package service

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
)

// faultState is the body of GET and PUT /faults.
type faultState struct {
	// Faults is a list as [ParseFaults] reads it.
	Faults string `json:"faults"`
}

// FaultHandler serves the switch: GET /faults shows the faults that are on, PUT /faults replaces them, with a body
// such as {"faults": "errors=0.33,introspection"}. It asks for no token, so it belongs on a loopback address only.
func FaultHandler(faults *FaultSwitch, logger *slog.Logger) http.Handler {
	show := func(w http.ResponseWriter) {
		writeJSON(w, http.StatusOK, faultState{Faults: faults.Get().String()})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { show(w) })
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) {
		var wanted faultState
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&wanted); err != nil {
			http.Error(w, fmt.Sprintf(`body must be {"faults": "…"}: %v`, err), http.StatusBadRequest)
			return
		}
		parsed, err := ParseFaults(wanted.Faults)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		faults.Set(parsed)
		logger.WarnContext(r.Context(), "faults changed", "faults", parsed.String())
		show(w)
	})
	return mux
}
