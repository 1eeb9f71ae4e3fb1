@NullMarked
package dev.ebb.pageservice;

import org.jspecify.annotations.NullMarked;
