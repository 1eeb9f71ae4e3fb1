/** Tests of the {@code ebb} script itself. */
@NullMarked
package dev.ebb.launcher.script;

import org.jspecify.annotations.NullMarked;
