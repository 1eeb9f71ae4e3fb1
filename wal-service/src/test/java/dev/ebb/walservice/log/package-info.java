@NullMarked
package dev.ebb.walservice.log;

import org.jspecify.annotations.NullMarked;
