@NullMarked
package dev.ebb.walservice.broker;

import org.jspecify.annotations.NullMarked;
