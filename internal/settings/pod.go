package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/overlay"
)

// Overlay is a strategic merge patch of the pod template of a track.
type Overlay = overlay.Patch

// User is who the processes of a pod run as, and the group that its volumes belong to.
type User struct {
	RunAsUser  int `json:"runAsUser"`
	RunAsGroup int `json:"runAsGroup"`
	FSGroup    int `json:"fsGroup"`
}

// DefaultUser is "nonroot" of the distroless images. A number is what lets the kubelet verify runAsNonRoot.
func DefaultUser() User { return User{RunAsUser: 65532, RunAsGroup: 65532, FSGroup: 65532} }

// DefaultTmpSize is how much may be written below /tmp.
const DefaultTmpSize = "64Mi"

// TmpVolume is the volume at /tmp.
const TmpVolume = "tmp"

// WritableVolume is the volume at the i-th of the writable folders.
func WritableVolume(i int) string { return "writable-" + strconv.Itoa(i) }

// ServiceAccount describes the service account of the pods.
type ServiceAccount struct {
	// Annotations bind the account to an identity of a cloud.
	Annotations Values `json:"annotations"`
}

// RollingUpdate is how a Deployment replaces its pods: how many it may have above its replicas, and how many of them
// may be missing, as numbers or percentages.
type RollingUpdate struct {
	MaxSurge       Amount `json:"maxSurge"`
	MaxUnavailable Amount `json:"maxUnavailable"`
}

// DefaultRollingUpdate keeps every pod until its successor is ready.
func DefaultRollingUpdate() RollingUpdate { return RollingUpdate{MaxSurge: "25%", MaxUnavailable: "0"} }

// Amount is a number of pods, such as 2, or a share of them, such as 25%.
type Amount string

// UnmarshalJSON reads a text or a number.
func (a *Amount) UnmarshalJSON(data []byte) error { return unmarshalScalar(data, (*string)(a)) }

// IsShare reports whether the amount is a percentage.
func (a Amount) IsShare() bool { return strings.HasSuffix(string(a), "%") }

// Number is the number of pods or of percent; -1 for what is none.
func (a Amount) Number() int {
	if !amount.MatchString(string(a)) {
		return -1
	}
	number, err := strconv.Atoi(strings.TrimSuffix(string(a), "%"))
	if err != nil {
		return -1
	}
	return number
}

var amount = regexp.MustCompile(`^[0-9]{1,6}%?$`)

// Words are the parts of a command line. Numbers and booleans are read as the text that they are written as.
type Words []string

// UnmarshalJSON reads a list of scalars.
func (w *Words) UnmarshalJSON(data []byte) error {
	var scalars []scalar
	if err := json.Unmarshal(data, &scalars); err != nil {
		return err
	}
	read := Words{}
	for _, text := range scalars {
		read = append(read, string(text))
	}
	*w = read
	return nil
}

// validatePodShape checks the short settings of the pods.
func (s *Settings) validatePodShape(errs *problems) {
	s.User.validate(errs)
	s.validateWritable(errs)
	if size, err := resource.ParseQuantity(string(s.TmpSize)); err != nil || size.Sign() <= 0 {
		errs.add("tmpSize", string(s.TmpSize), errs.set("tmpSize", meantSize(string(s.TmpSize))),
			"not a quantity such as 64Mi or 1Gi")
	}
	annotations(errs, "podAnnotations", s.PodAnnotations)
	annotations(errs, "serviceAccount.annotations", s.ServiceAccount.Annotations)
	s.RollingUpdate.validate(errs)
}

// highestID is the highest number of a user or group that Kubernetes takes.
const highestID = 1<<31 - 1

func (u User) validate(errs *problems) {
	if u.RunAsUser < 1 || u.RunAsUser > highestID {
		errs.add("user.runAsUser", strconv.Itoa(u.RunAsUser), errs.setPath("user.runAsUser", "1001"),
			"allowed are 1 to %d: the namespace admits no pods that run as root", highestID)
	}
	for key, id := range map[string]int{"user.runAsGroup": u.RunAsGroup, "user.fsGroup": u.FSGroup} {
		if id < 0 || id > highestID {
			errs.add(key, strconv.Itoa(id), errs.setPath(key, "1001"), "allowed are 0 to %d", highestID)
		}
	}
}

func (s *Settings) validateWritable(errs *problems) {
	seen := map[string]bool{"/tmp": true}
	for i, folder := range s.Writable {
		key := fmt.Sprintf("writable[%d]", i)
		switch {
		case !path.IsAbs(folder) || path.Clean(folder) != folder || folder == "/" || strings.Contains(folder, ":"):
			errs.add(key, folder, errs.setPath(key, "/app/logs"),
				"the absolute path of a folder is needed, without a / at its end")
		case seen[folder]:
			errs.add(key, folder, errs.remove(key), "it is writable already")
		}
		seen[folder] = true
	}
}

func annotations(errs *problems, key string, values Values) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := key + `["` + name + `"]`
		if messages := validation.IsQualifiedName(strings.ToLower(name)); len(messages) > 0 {
			errs.add(at, "", errs.remove(at), "no name of an annotation: %s", messages[0])
		} else if strings.HasPrefix(name, names.Prefix) {
			errs.add(at, values[name], errs.remove(at), "names that begin with %s belong to the rollout", names.Prefix)
		}
	}
}

func (r RollingUpdate) validate(errs *problems) {
	surge, unavailable := r.MaxSurge.Number(), r.MaxUnavailable.Number()
	if surge < 0 {
		errs.add("rollingUpdate.maxSurge", string(r.MaxSurge), errs.setPath("rollingUpdate.maxSurge", "25%"),
			"a number of pods such as 2, or a share such as 25%%, is needed")
	}
	if unavailable < 0 || r.MaxUnavailable.IsShare() && unavailable > 100 {
		errs.add("rollingUpdate.maxUnavailable", string(r.MaxUnavailable),
			errs.setPath("rollingUpdate.maxUnavailable", "0"),
			"a number of pods such as 1, or a share of at most 100%%, is needed")
	}
	if surge == 0 && unavailable == 0 {
		errs.add("rollingUpdate.maxSurge", string(r.MaxSurge), errs.setPath("rollingUpdate.maxSurge", "1"),
			"maxUnavailable is 0 too, so that no pod could ever be replaced")
	}
}
