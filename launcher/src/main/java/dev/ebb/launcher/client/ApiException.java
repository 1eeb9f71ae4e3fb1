package dev.ebb.launcher.client;

/** A request to the API that was not fulfilled, by what the caller should do. */
public abstract sealed class ApiException extends Exception {
  private static final long serialVersionUID = 1L;

  private ApiException(String message) {
    super(message);
  }

  /** Nobody answers at the address: start a server, or name another address. */
  public static final class Unreachable extends ApiException {
    private static final long serialVersionUID = 1L;

    Unreachable(String message) {
      super(message);
    }
  }

  /** The server answered that it will not; the message is the server's. */
  public static final class Refused extends ApiException {
    private static final long serialVersionUID = 1L;

    private final int status;

    Refused(int status, String message) {
      super(message);
      this.status = status;
    }

    /** The HTTP status. */
    public int status() {
      return status;
    }
  }
}
