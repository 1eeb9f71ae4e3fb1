/** What users do with a whole {@code ebb up}, and what befalls them. */
@NullMarked
package dev.ebb.launcher.story;

import org.jspecify.annotations.NullMarked;
