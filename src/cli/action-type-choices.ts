// The values of `partnerd action-type --format`, apart from what writes them, so that no other command loads that.

export const actionTypeFormats = ["json", "cloudformation", "terraform", "cdk"] as const;
export type ActionTypeFormat = (typeof actionTypeFormats)[number];
