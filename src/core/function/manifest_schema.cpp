// SPDX-License-Identifier: Apache-2.0
#include <hks/core/function.hpp>

#include <nlohmann/json.hpp>

namespace hks {
namespace {

// Kept by hand beside the readers; the tests compare the two field by field. What JSON Schema cannot say
// (bounds of quantities, minScale <= maxScale, one variable set twice) stays with the server.
constexpr auto text = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://hks.io/schema/function.json",
  "title": "Function",
  "type": "object",
  "additionalProperties": false,
  "required": ["apiVersion", "kind", "metadata"],
  "properties": {
    "apiVersion": {"const": "hks.io/v1"},
    "kind": {"const": "Function"},
    "metadata": {
      "type": "object",
      "additionalProperties": false,
      "required": ["name"],
      "properties": {
        "name": {"$ref": "#/$defs/name"},
        "workspace": {"anyOf": [{"$ref": "#/$defs/name"}, {"type": "null"}]},
        "labels": {
          "type": ["object", "null"],
          "maxProperties": 64,
          "propertyNames": {"pattern": "^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$"},
          "additionalProperties": {"type": "string", "maxLength": 256, "pattern": "^[^\\u0000-\\u001f\\u007f]*$"}
        }
      }
    },
    "spec": {"anyOf": [{"$ref": "#/$defs/spec"}, {"type": "null"}]}
  },
  "$defs": {
    "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"},
    "bytes": {
      "description": "A size: 128Mi, 1Gi, 512M, or a number of bytes.",
      "anyOf": [{"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,6})?([kKMGT]|[KMGT]i)?$"},
                {"type": "number", "minimum": 0}, {"type": "null"}]
    },
    "duration": {
      "description": "A duration: 30s, 500ms, 1h30m, 7d, or a number of seconds.",
      "anyOf": [{"type": "string", "pattern": "^([0-9]+(\\.[0-9]{1,6})?(ms|s|m|h|d))+$|^[0-9]+(\\.[0-9]{1,6})?$"},
                {"type": "number", "minimum": 0}, {"type": "null"}]
    },
    "cpu": {
      "description": "An amount of CPU: 100m, 0.5, or a number of cores.",
      "anyOf": [{"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,6})?m?$"},
                {"type": "number", "minimum": 0}, {"type": "null"}]
    },
    "variable": {
      "type": "string",
      "maxLength": 256,
      "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
      "not": {"pattern": "^(HKS_|_HANDLER$)"}
    },
    "trigger": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "name": {"anyOf": [{"$ref": "#/$defs/name"}, {"type": "null"}]},
        "type": {"enum": ["http", null], "default": "http"},
        "enabled": {"type": ["boolean", "null"], "default": true},
        "path": {
          "description": "/users/{id} or /files/*; without it the function answers at /functions/NAME.",
          "type": ["string", "null"],
          "maxLength": 1024,
          "pattern": "^(/.*)?$"
        },
        "methods": {
          "description": "Without it every method is let in.",
          "type": ["array", "null"],
          "minItems": 1,
          "maxItems": 7,
          "items": {"type": "string", "pattern": "^([Gg][Ee][Tt]|[Hh][Ee][Aa][Dd]|[Pp][Oo][Ss][Tt]|[Pp][Uu][Tt]|[Pp][Aa][Tt][Cc][Hh]|[Dd][Ee][Ll][Ee][Tt][Ee]|[Oo][Pp][Tt][Ii][Oo][Nn][Ss])$"}
        },
        "auth": {
          "type": ["object", "null"],
          "additionalProperties": false,
          "required": ["type"],
          "properties": {"type": {"enum": ["public", "token"]}}
        }
      }
    },
    "spec": {
      "type": "object",
      "additionalProperties": false,
      "not": {
        "required": ["trigger", "triggers"],
        "properties": {"trigger": {"type": "object"}, "triggers": {"type": "array"}}
      },
      "properties": {
        "source": {
          "type": ["object", "null"],
          "additionalProperties": false,
          "properties": {"path": {"type": ["string", "null"], "maxLength": 4096}}
        },
        "runtime": {
          "description": "python3.11, nodejs20.x, or {name, version}; without it the files tell.",
          "anyOf": [
            {"type": "string", "pattern": "^([Pp][Yy][Tt][Hh][Oo][Nn]|[Nn][Oo][Dd][Ee]([Jj][Ss])?)[0-9.xX]*$"},
            {"type": "object",
             "additionalProperties": false,
             "properties": {"name": {"type": ["string", "null"]}, "version": {"type": ["string", "integer", "null"]}},
             "dependentRequired": {"version": ["name"]}},
            {"type": "null"}
          ]
        },
        "handler": {
          "description": "FILE.FUNCTION; without it the usual names are tried.",
          "type": ["string", "null"],
          "maxLength": 256,
          "pattern": "^([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)?$",
          "not": {"pattern": "\\.\\.|\\.$"}
        },
        "trigger": {"anyOf": [{"$ref": "#/$defs/trigger"}, {"type": "null"}]},
        "triggers": {"type": ["array", "null"], "maxItems": 64, "items": {"$ref": "#/$defs/trigger"}},
        "resources": {
          "type": ["object", "null"],
          "additionalProperties": false,
          "properties": {
            "memory": {"$ref": "#/$defs/bytes", "default": "128Mi"},
            "cpu": {"$ref": "#/$defs/cpu", "default": "100m"},
            "cpuLimit": {"$ref": "#/$defs/cpu", "default": null},
            "timeout": {"$ref": "#/$defs/duration", "default": "30s"},
            "queueTimeout": {"$ref": "#/$defs/duration", "default": null},
            "idleTimeout": {"$ref": "#/$defs/duration", "default": "60s"},
            "ephemeralStorage": {"$ref": "#/$defs/bytes", "default": "512Mi"}
          }
        },
        "scaling": {
          "type": ["object", "null"],
          "additionalProperties": false,
          "properties": {
            "minScale": {"type": ["integer", "null"], "minimum": 0, "maximum": 10000, "default": 0},
            "maxScale": {"type": ["integer", "null"], "minimum": 1, "maximum": 10000, "default": 100},
            "concurrency": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "default": 1},
            "target": {"type": "null"},
            "metric": {"enum": ["concurrency", null], "default": "concurrency"},
            "scaleDownDelay": {"$ref": "#/$defs/duration", "default": "30s"},
            "warm": {"type": ["integer", "null"], "minimum": 0, "maximum": 1000, "default": 0},
            "queueSize": {"type": ["integer", "null"], "minimum": 0, "maximum": 100000, "default": 1000}
          }
        },
        "environment": {
          "type": ["object", "null"],
          "additionalProperties": false,
          "properties": {
            "variables": {
              "type": ["object", "null"],
              "propertyNames": {"$ref": "#/$defs/variable"},
              "additionalProperties": {"type": ["string", "number", "boolean"]}
            },
            "secrets": {
              "type": ["array", "null"],
              "maxItems": 256,
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["name", "secretName", "secretKey"],
                "properties": {
                  "name": {"$ref": "#/$defs/variable"},
                  "secretName": {"$ref": "#/$defs/name"},
                  "secretKey": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,253}$"}
                }
              }
            }
          }
        },
        "network": {"enum": ["full", null], "default": "full"}
      }
    }
  }
})json";

}  // namespace

nlohmann::json manifest_json_schema() {
    return nlohmann::json::parse(text);
}

}  // namespace hks
