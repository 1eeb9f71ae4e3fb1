@NullMarked
package dev.ebb.gateway;

import org.jspecify.annotations.NullMarked;
