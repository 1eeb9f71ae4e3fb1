@NullMarked
package dev.ebb.walservice.receive;

import org.jspecify.annotations.NullMarked;
