/** Chats as the text that a model was trained on, by the template in its file. */
import { Template } from "@huggingface/jinja";
import { ModelError } from "./errors.ts";
import type { Metadata } from "./metadata.ts";
import type { ModelTokenizer } from "./tokenizer.ts";

/** One turn of a chat. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Renders chats. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #tokenizer: ModelTokenizer;

  private constructor(template: Template, tokenizer: ModelTokenizer) {
    this.#template = template;
    this.#tokenizer = tokenizer;
  }

  /** The file's template; undefined if it has none (a model that only continues text). @throws {ModelError} if it is damaged. */
  static from(metadata: Metadata, tokenizer: ModelTokenizer): ChatTemplate | undefined {
    const source = metadata.string("tokenizer.chat_template", "");
    if (source === "") return undefined;
    try {
      return new ChatTemplate(new Template(source), tokenizer);
    } catch (error) {
      throw templateError(error);
    }
  }

  /** The chat up to where the assistant's next words begin. */
  render(messages: readonly ChatMessage[]): string {
    const { bosToken, eosToken } = this.#tokenizer;
    try {
      return this.#template.render({
        messages,
        add_generation_prompt: true,
        bos_token: bosToken,
        eos_token: eosToken,
      });
    } catch (error) {
      throw templateError(error);
    }
  }
}

function templateError(cause: unknown): ModelError {
  return new ModelError(
    `Cannot use the model's chat template: ${
      (cause as Error).message
    }. Pass --raw to continue the prompt as plain text.`,
    { cause },
  );
}
