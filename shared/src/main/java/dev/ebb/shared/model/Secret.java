package dev.ebb.shared.model;

/**
 * A value that never reaches a log: prints as {@code ***}.
 *
 * @param reveal the secret itself
 */
public record Secret(String reveal) {
  @Override
  public String toString() {
    return "***";
  }
}
