/** The HTTP API, its router built from openapi.yaml. */
@NullMarked
package dev.ebb.gateway.api;

import org.jspecify.annotations.NullMarked;
