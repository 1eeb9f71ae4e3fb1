@NullMarked
package dev.ebb.shared;

import org.jspecify.annotations.NullMarked;
