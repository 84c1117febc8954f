// Package program is the Pulumi program: which resources a stack registers, with which hooks. [Run] reads settings,
// reaches the cluster, gathers the inputs of the update, makes its move, registers the resources and exports the
// outputs.
//
// It is the only package that knows Pulumi's resources; the resources themselves are made by components/. It decides
// nothing: internal/shift judges the move and waits for capacity, internal/settings and internal/plan say what is
// wanted.
package program
