@NullMarked
package dev.ebb.launcher;

import org.jspecify.annotations.NullMarked;
