package provider

import (
	"encoding/base64"
	"maps"
)

// stored is a Secret as the API server stores it: the texts of stringData are bytes in data. Other objects are as they
// are.
func stored(object map[string]any) map[string]any {
	texts, ok := object["stringData"].(map[string]any)
	if object["kind"] != "Secret" || !ok {
		return object
	}
	data, _ := object["data"].(map[string]any)
	data = maps.Clone(data)
	if data == nil {
		data = map[string]any{}
	}
	for key, value := range texts {
		if text, ok := value.(string); ok {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	object = maps.Clone(object)
	delete(object, "stringData")
	object["data"] = data
	return object
}

// given is a stored Secret with its bytes as texts too, for inputs that set them so.
func given(live map[string]any) map[string]any {
	data, ok := live["data"].(map[string]any)
	if live["kind"] != "Secret" || !ok {
		return live
	}
	texts := map[string]any{}
	for key, value := range data {
		encoded, _ := value.(string)
		if text, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			texts[key] = string(text)
		}
	}
	live = maps.Clone(live)
	live["stringData"] = texts
	return live
}
