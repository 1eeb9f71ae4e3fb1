package dev.ebb.launcher.up;

import java.util.Locale;

/** The services that {@code ebb run} can run. */
public enum ServiceName {
  GATEWAY,
  COMPUTE,
  PAGE,
  WAL,
  SCALER;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
