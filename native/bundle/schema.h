// SPDX-License-Identifier: Apache-2.0
// The one includer of the generated flatbuffer code; everybody else includes this. Namespace tealight::schema, scoped
// enums: schema::UnaryKind::relu, schema::OpAttributes::Conv2d.
#ifndef TEALIGHT_BUNDLE_SCHEMA_H_
#define TEALIGHT_BUNDLE_SCHEMA_H_

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "bundle_generated.h"
#pragma GCC diagnostic pop

#endif  // TEALIGHT_BUNDLE_SCHEMA_H_
