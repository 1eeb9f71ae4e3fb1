package dev.ebb.gateway.relay;

import dev.ebb.gateway.protocol.ErrorFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/**
 * Passes a backend's bytes on, and errors with what {@link ErrorDetails} knows of them. Chunks
 * without an error pass as they are; from an error on the stream is held until the error is whole
 * and, where that is asked for, until its details are there. Confined to one event loop.
 */
final class ErrorInspector implements RelayHandler.Inspector {
  /** PostgreSQL keeps its errors under 30,000 bytes; longer ones are passed on as they come. */
  private static final int MAX_ERROR_BYTES = 64 << 10;

  private final MessageWalk walk = new MessageWalk();
  private final ErrorDetails details;
  private @Nullable ByteBuf held;
  private boolean asking;
  private @Nullable ErrorFrame unanswered;

  ErrorInspector(ErrorDetails details) {
    this.details = details;
  }

  /** What was walked over. */
  MessageWalk walk() {
    return walk;
  }

  /** Whether the client has got whole messages only: another may follow. */
  boolean isBetweenMessages() {
    return held == null && walk.isBetweenMessages();
  }

  /** Whether the last thing that the client got is an error. */
  boolean saidError() {
    return isBetweenMessages() && walk.lastType() == MessageWalk.ERROR;
  }

  @Override
  public void pass(ByteBuf chunk, RelayHandler.Output out) {
    ByteBuf waiting = held;
    if (waiting != null) {
      waiting.writeBytes(chunk);
      chunk.release();
      if (!asking) {
        drain(waiting, out);
      }
      return;
    }
    int error = walk.toError(chunk);
    if (error < 0) {
      out.write(chunk);
      return;
    }
    if (error > chunk.readerIndex()) {
      out.write(chunk.readRetainedSlice(error - chunk.readerIndex()));
    }
    ByteBuf rest = Unpooled.buffer(Math.max(256, chunk.readableBytes()));
    rest.writeBytes(chunk);
    chunk.release();
    held = rest;
    drain(rest, out);
  }

  /** Passes on what can be; {@code from} begins with an error. */
  private void drain(ByteBuf from, RelayHandler.Output out) {
    while (from.readableBytes() >= 5) {
      int start = from.readerIndex();
      int length = from.getInt(start + 1);
      if (length < 4 || length > MAX_ERROR_BYTES) {
        walk.enterError(length);
        out.write(from.readBytes(5));
      } else if (from.readableBytes() > length) {
        var error = ErrorFrame.read(from.readSlice(length + 1));
        if (details.concerns(error)) {
          ask(error, from, out);
          return;
        }
        out.write(Unpooled.wrappedBuffer(error.bytes()));
        walk.passedError();
      } else {
        return;
      }
      if (passToNextError(from, out)) {
        return;
      }
    }
  }

  /** Whether nothing is held any more. */
  private boolean passToNextError(ByteBuf from, RelayHandler.Output out) {
    int error = walk.toError(from);
    int bytes = (error < 0 ? from.writerIndex() : error) - from.readerIndex();
    if (bytes > 0) {
      out.write(from.readBytes(bytes));
    }
    if (error < 0) {
      from.release();
      held = null;
    }
    return error < 0;
  }

  private void ask(ErrorFrame error, ByteBuf from, RelayHandler.Output out) {
    asking = true;
    unanswered = error;
    out.pause();
    details
        .about(error)
        .onComplete(answer ->
            out.onLoop(() -> {
              if (asking) {
                asking = false;
                String text = answer.succeeded() ? answer.result() : "";
                out.write(Unpooled.wrappedBuffer(error.withDetail(text)));
                walk.passedError();
                if (!passToNextError(from, out)) {
                  drain(from, out);
                }
                out.flush();
                if (!asking) {
                  out.resume();
                }
              } else {
                from.release(); // the end of the stream came first
              }
            }));
  }

  /** The stream is over: what is held goes as it came. */
  void end(RelayHandler.Output out) {
    ByteBuf waiting = held;
    if (waiting == null) {
      return;
    }
    held = null;
    ErrorFrame error = unanswered;
    if (asking && error != null) {
      asking = false;
      out.write(Unpooled.wrappedBuffer(error.bytes()));
      walk.passedError();
      waiting.retain(); // the answer releases it
    }
    int begun = walk.toError(waiting);
    if (begun >= 0) {
      walk.enterError(Integer.MAX_VALUE); // in the middle of an error, or right behind one
    }
    out.write(waiting.readBytes(waiting.readableBytes()));
    waiting.release();
    out.flush();
  }
}
