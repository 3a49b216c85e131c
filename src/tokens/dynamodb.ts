// Client tokens in a DynamoDB table: one item for each client, read consistently, so that a customer who was added a
// moment ago is there. The only place of this folder that knows its client, which is loaded when it is asked for.
import { type AwsStoreOptions, awsClient, awsFault, loadClient } from "./aws-client.js";
import { type TokenStore, TokenStoreFault } from "./token-store.js";

export interface TokenTableOptions extends AwsStoreOptions {
  readonly table: string;
  /** Its partition key, of type String; the table has no sort key. */
  readonly key: string;
  /** The attribute that holds the token, of type String. */
  readonly attribute: string;
}

const remedies = {
  AccessDeniedException: "partnerd iam-policy prints the permissions",
  ResourceNotFoundException: "there is no such table: correct clientTokens.table or clientTokens.region",
  ValidationException:
    "correct clientTokens.key: the table needs a partition key of this name, a String, and no sort key",
};

/** Loads the client, and calls nothing yet. Throws TokenError when its package is not installed. */
export async function openTokenTable(options: TokenTableOptions): Promise<TokenStore> {
  const { table, key, attribute } = options;
  const sdk = await loadClient("dynamodb", "@aws-sdk/client-dynamodb", () => import("@aws-sdk/client-dynamodb"));
  const client = awsClient(options, (settings) => new sdk.DynamoDBClient(settings));
  return {
    name: `the token table ${table}`,
    find: async (clientId, abortSignal) => {
      const command = new sdk.GetItemCommand({
        TableName: table,
        Key: { [key]: { S: clientId } },
        ConsistentRead: true,
        ProjectionExpression: "#token",
        ExpressionAttributeNames: { "#token": attribute },
      });
      const { Item: item } = await client.send(command, { abortSignal }).catch((error: unknown) => {
        throw awsFault(error, remedies);
      });
      if (item === undefined) return undefined;
      const token = item[attribute]?.S;
      if (token !== undefined) return token;
      throw new TokenStoreFault("unusable", `has no attribute ${attribute} of type String in the client's item`);
    },
    close: async () => client.destroy(),
  };
}
